#include "io/http/listener.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/http/connection.h"
#include "io/http/tls_handshake.h"
#include "io/loop.h"

namespace weft {
namespace {

// A Unix peer has no address: who it is stands in its place.
void note_credentials(const Fd& socket, sockaddr_storage& peer) {
  ucred who{};
  socklen_t size = sizeof(who);
  auto& at = reinterpret_cast<sockaddr_un&>(peer);
  at = {};
  at.sun_family = AF_UNIX;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return;
  auto text = fmt::format("uid={},gid={},pid={}", who.uid, who.gid, who.pid);
  std::memcpy(at.sun_path, text.data(), std::min(text.size(), sizeof(at.sun_path) - 1));
}

}  // namespace

HttpListener::HttpListener(Loop& loop, HttpHandler& handler, std::shared_ptr<HttpShared> shared,
                           std::shared_ptr<TlsContext> tls)
    : loop_(loop),
      handler_(&handler),
      shared_(std::move(shared)),
      tls_(std::move(tls)),
      acceptor_(loop.context().get_executor()),
      pause_(loop, [this] { accept(); }) {}

HttpListener::~HttpListener() {
  CHECK(connections_.empty());
}

Result<void> HttpListener::open(Fd socket, boost::asio::ip::tcp protocol) {
  boost::system::error_code error;
  acceptor_.assign(protocol, socket.get(), error);
  if (error) return system_failure("watch a listening socket", error.value());
  socket.release();
  wait();
  return {};
}

void HttpListener::wait() {
  acceptor_.async_wait(boost::asio::socket_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         Loop::Turn turn(self->loop_);
                         if (!error) self->accept();
                       });
}

void HttpListener::accept() {
  if (!acceptor_.is_open()) return;
  for (std::size_t i = 0; i < kAcceptBatch; ++i) {
    if (accept_one()) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == EPERM) continue;
    // No descriptors or no memory: what waits in the backlog waits for some to come free.
    if (!std::exchange(pause_logged_, true)) {
      log::warn("http", "cannot accept connections for now: raise the limit of open files",
                {{"error", system_failure("accept", errno).error().message()}});
    }
    pause_.arm(Deadline::after(kAcceptPause));
    return;
  }
  if (!draining_) wait();
}

bool HttpListener::accept_one() {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  Fd socket(::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return false;
  pause_logged_ = false;
  if (peer.ss_family == AF_UNIX) note_credentials(socket, peer);
  auto pass = shared_->gate.enter();
  if (!pass) return true;
  auto admission = HttpConnection::Admission::kServed;
  if (shared_->connections.load(std::memory_order_relaxed) >= shared_->limits.connections_max) {
    // A handshake to say so would cost more than what is refused.
    if (refused_ >= kRefusedMax || tls_ != nullptr) return true;
    admission = HttpConnection::Admission::kRefused;
  }
  auto protocol =
      peer.ss_family == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
  HttpTransport transport{HttpTransport::Socket(loop_.context().get_executor()), nullptr, peer,
                          std::move(pass)};
  boost::system::error_code error;
  transport.socket.assign(protocol, socket.get(), error);
  if (error) {
    log::warn("http", "a connection could not be watched", {{"error", error.message()}});
    return true;
  }
  socket.release();
  if (tls_ != nullptr) {
    transport.tls = tls_->accept(transport.socket.native_handle());
    TlsHandshake::start(shared_from_this(), std::move(transport));
  } else {
    Http1Connection::start(shared_from_this(), std::move(transport), admission);
  }
  return true;
}

void HttpListener::drain() {
  if (std::exchange(draining_, true)) return;
  if (acceptor_.is_open()) {
    // Whoever the kernel has greeted is served. Closing a listening socket resets those that it
    // greets meanwhile, so it greets nobody any more: it drops what comes to the socket.
    sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
    sock_fprog filter{1, &nothing};
    ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
    while (accept_one()) continue;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }
  pause_.disarm();
  // Some leave the list, and another takes the place, as they hear of it.
  std::vector<HttpConnection*> all = connections_;
  for (HttpConnection* each : all) each->drain();
}

void HttpListener::close() {
  draining_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.disarm();
  while (!connections_.empty()) connections_.back()->shut();
  handler_ = nullptr;
}

void HttpListener::opened(HttpConnection& connection) {
  connection.place = connections_.size();
  connections_.push_back(&connection);
  if (connection.refused()) {
    ++refused_;
  } else {
    shared_->connections.fetch_add(1, std::memory_order_relaxed);
  }
}

void HttpListener::closed(HttpConnection& connection) {
  CHECK(connections_[connection.place] == &connection);
  connections_[connection.place] = connections_.back();
  connections_[connection.place]->place = connection.place;
  connections_.pop_back();
  if (connection.refused()) {
    --refused_;
  } else {
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  }
}

Buffer HttpListener::take_buffer() {
  Buffer buffer;
  if (!buffers_.empty()) {
    buffer = std::move(buffers_.back());
    buffers_.pop_back();
  }
  buffer.clear();
  buffer.reserve(kBodyBuffer);
  return buffer;
}

void HttpListener::give_buffer(Buffer buffer) {
  if (buffers_.size() < kBuffersKept && buffer.room() > 0) buffers_.push_back(std::move(buffer));
}

std::string_view HttpListener::date() {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t now = std::time(nullptr);
  if (now != date_at_) {
    date_at_ = now;
    std::tm parts{};
    gmtime_r(&now, &parts);
    date_size_ =
        fmt::format_to_n(date_.data(), date_.size(), "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                         kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                         parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec)
            .size;
  }
  return {date_.data(), date_size_};
}

}  // namespace weft
