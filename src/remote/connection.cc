#include "remote/connection.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/http/tls_client.h"
#include "io/loop.h"

namespace weft::remote {

namespace asio = boost::asio;

// Room that is kept for what comes and what leaves while nothing large does.
constexpr std::size_t kRoomKept = 256UL * 1024;
constexpr std::size_t kReadLeast = 16UL * 1024;

struct Connection::OnReady {
  std::shared_ptr<Connection> self;
  bool reading;
  using allocator_type = HandlerAllocator<char>;
  allocator_type get_allocator() const {
    return allocator_type(reading ? self->read_memory_ : self->write_memory_);
  }
  void operator()(const boost::system::error_code& error) {
    Loop::Turn turn(self->loop_);
    if (error || self->owner_ == nullptr) return;
    if (self->state_ == State::kHandshake) return self->handshake();
    if (reading) return self->on_readable();
    self->on_writable();
  }
};

std::shared_ptr<Connection> Connection::open(Loop& loop, Endpoint endpoint,
                                             ConnectionOwner& owner) {
  auto connection = std::make_shared<Connection>(loop, std::move(endpoint), owner);
  connection->timer_.arm(Deadline::after(kConnectTimeout));
  connection->look_up();
  return connection;
}

Connection::Connection(Loop& loop, Endpoint endpoint, ConnectionOwner& owner)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      owner_(&owner),
      resolver_(loop.context()),
      socket_(loop.context()),
      timer_(loop, [this] {
        auto self = shared_from_this();
        fail(Error(Errc::kUnavailable, fmt::format("{}: no connection within {} s",
                                                   endpoint_.text(), kConnectTimeout.count())));
      }) {}

void Connection::look_up() {
  // The operation is not cancelled when its time is over: what it finds then goes nowhere.
  resolver_.async_resolve(
      endpoint_.host, std::to_string(endpoint_.port),
      [self = shared_from_this()](const boost::system::error_code& error, auto found) {
        Loop::Turn turn(self->loop_);
        if (self->owner_ == nullptr) return;
        if (error) {
          return self->fail(Error(Errc::kUnavailable,
                                  fmt::format("{}: {}", self->endpoint_.text(), error.message())));
        }
        self->connect(found);
      });
}

void Connection::connect(const Tcp::resolver::results_type& found) {
  asio::async_connect(
      socket_, found, [self = shared_from_this()](const boost::system::error_code& error, auto) {
        Loop::Turn turn(self->loop_);
        if (self->owner_ == nullptr) return;
        if (error) {
          return self->fail(Error(Errc::kUnavailable,
                                  fmt::format("{}: {}", self->endpoint_.text(), error.message())));
        }
        self->socket_.non_blocking(true);
        self->socket_.set_option(Tcp::no_delay(true));
        self->socket_.set_option(asio::socket_base::keep_alive(true));
        if (self->endpoint_.tls == nullptr) return self->ready();
        self->state_ = State::kHandshake;
        self->tls_ =
            self->endpoint_.tls->connect(self->socket_.native_handle(), self->endpoint_.host);
        self->handshake();
      });
}

void Connection::begin_tls(std::shared_ptr<const TlsClient> tls) {
  CHECK(state_ == State::kOpen && tls_ == nullptr && out_.size() == out_at_);
  endpoint_.tls = std::move(tls);
  state_ = State::kHandshake;
  timer_.arm(Deadline::after(kConnectTimeout));
  tls_ = endpoint_.tls->connect(socket_.native_handle(), endpoint_.host);
  // Later, because the caller may be inside of what reads.
  loop_.defer([self = shared_from_this()] {
    if (self->owner_ == nullptr) return;
    if (self->in_at_ != self->in_.size()) {
      return self->fail(Error(Errc::kCorrupt, fmt::format("{}: more came before TLS began than "
                                                          "belongs there",
                                                          self->endpoint_.text())));
    }
    self->handshake();
  });
}

void Connection::handshake() {
  switch (tls_->handshake()) {
    case TlsSession::Step::kDone: return ready();
    case TlsSession::Step::kWantRead: return wait(Socket::wait_read);
    case TlsSession::Step::kWantWrite: return wait(Socket::wait_write);
    case TlsSession::Step::kFailed: break;
  }
  fail(Error(Errc::kUnavailable, fmt::format("{}: TLS: {}", endpoint_.text(), tls_->problem())));
}

void Connection::ready() {
  timer_.disarm();
  state_ = State::kOpen;
  reading_ = true;
  wait(Socket::wait_read);
  owner_->connected();
}

void Connection::wait(Socket::wait_type what) {
  socket_.async_wait(what, OnReady{shared_from_this(), what == Socket::wait_read});
}

void Connection::on_readable() {
  auto self = shared_from_this();
  if (!paused_) read();
  if (owner_ == nullptr || state_ != State::kOpen) return;
  if (paused_) {
    reading_ = false;
    return;
  }
  // What TLS has taken from the socket already makes it readable no more.
  if (tls_ != nullptr && tls_->has_pending()) {
    loop_.post([self] {
      Loop::Turn turn(self->loop_);
      if (self->owner_ != nullptr) self->on_readable();
    });
    return;
  }
  wait(Socket::wait_read);
}

void Connection::read() {
  std::size_t total = 0;
  while (owner_ != nullptr && state_ == State::kOpen && !paused_ && total < kReadMax &&
         read_once(&total)) {
  }
}

void Connection::resume() {
  if (!paused_ || std::exchange(resuming_, true)) return;
  loop_.defer([self = shared_from_this()] {
    self->resuming_ = false;
    self->paused_ = false;
    // Who waits still has missed nothing.
    if (self->reading_ || self->owner_ == nullptr || self->state_ != State::kOpen) return;
    self->reading_ = true;
    if (self->in_at_ < self->in_.size() && !self->hand_over()) return;
    self->on_readable();
  });
}

// True when there may be more.
bool Connection::read_once(std::size_t* total) {
  std::size_t room = std::max(kReadLeast, std::min(in_.size() - in_at_, kReadMax));
  std::uint8_t* into = in_.reserve(room);
  ssize_t count = tls_ == nullptr ? recv(socket_.native_handle(), into, room, MSG_DONTWAIT)
                                  : tls_->read(into, room);
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (count <= 0) {
    std::string why = count == 0 ? "the server closed the connection" : std::strerror(errno);
    fail(Error(Errc::kUnavailable, fmt::format("{}: {}", endpoint_.text(), why)));
    return false;
  }
  in_.advance(static_cast<std::size_t>(count));
  *total += static_cast<std::size_t>(count);
  return hand_over() && (tls_ != nullptr || static_cast<std::size_t>(count) == room);
}

bool Connection::hand_over() {
  Result<std::size_t> used = owner_->received(in_.view().subspan(in_at_));
  if (owner_ == nullptr) return false;
  if (!used) {
    fail(std::move(used).error().within(endpoint_.text()));
    return false;
  }
  in_at_ += *used;
  if (in_at_ == in_.size()) {
    in_.shrink(kRoomKept);
    in_at_ = 0;
  } else if (in_at_ > kRoomKept) {
    std::memmove(in_.data(), in_.data() + in_at_, in_.size() - in_at_);
    in_.resize_down(in_.size() - in_at_);
    in_at_ = 0;
  }
  return true;
}

void Connection::flush() {
  if (scheduled_ || blocked_ || state_ != State::kOpen) return;
  scheduled_ = true;
  loop_.defer_last([self = shared_from_this()] {
    self->scheduled_ = false;
    if (self->owner_ != nullptr && !self->blocked_) self->write();
  });
}

void Connection::on_writable() {
  blocked_ = false;
  write();
}

void Connection::write() {
  auto self = shared_from_this();
  while (owner_ != nullptr && out_at_ < out_.size()) {
    iovec piece{out_.data() + out_at_, out_.size() - out_at_};
    ssize_t sent = tls_ == nullptr ? send(socket_.native_handle(), piece.iov_base, piece.iov_len,
                                          MSG_NOSIGNAL | MSG_DONTWAIT)
                                   : tls_->send({&piece, 1});
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      blocked_ = true;
      return wait(Socket::wait_write);
    }
    if (sent < 0) {
      return fail(
          Error(Errc::kUnavailable, fmt::format("{}: {}", endpoint_.text(), std::strerror(errno))));
    }
    out_at_ += static_cast<std::size_t>(sent);
  }
  if (owner_ == nullptr) return;
  out_.shrink(kRoomKept);
  out_at_ = 0;
}

std::size_t Connection::unsent() {
  int queued = 0;
  if (ioctl(socket_.native_handle(), SIOCOUTQ, &queued) != 0) queued = 0;
  return out_.size() - out_at_ + static_cast<std::size_t>(queued);
}

void Connection::fail(Error error) {
  ConnectionOwner* owner = owner_;
  close();
  if (owner != nullptr) owner->broken(std::move(error));
}

void Connection::close() {
  if (owner_ == nullptr) return;
  owner_ = nullptr;
  state_ = State::kClosed;
  timer_.disarm();
  if (tls_ != nullptr) tls_->close_notify();
  boost::system::error_code ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

}  // namespace weft::remote
