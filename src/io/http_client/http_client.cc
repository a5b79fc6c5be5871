#include "io/http_client/http_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>

#include "base/check.h"
#include "io/http_client/socket.h"
#include "io/loop.h"

namespace weft {
namespace {

// Idle handles kept; each holds a few KiB.
constexpr std::size_t kFreeMax = 128;
// How long the system's resolver may go on after nobody waits for it.
constexpr std::chrono::seconds kResolverMax{30};

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] { CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

}  // namespace

Result<void> HttpClient::check(const HttpClientOptions& options) {
  if (!options.ca_file.empty() && ::access(options.ca_file.c_str(), R_OK) != 0) {
    return system_failure(fmt::format("certificates of {}", options.ca_file), errno);
  }
  return {};
}

HttpClient::HttpClient(Loop& loop, HttpClientOptions options)
    : loop_(loop), options_(std::move(options)), timer_(loop, [this] { kick(); }) {
  init_curl();
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  auto connections = static_cast<long>(options_.connections_max);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS,
                    static_cast<long>(options_.connections_per_host_max));
}

HttpClient::~HttpClient() {
  CHECK(!running_ && transfers_ == 0);
  remove_dropped();
  for (CURL* easy : free_) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi_);
  for (auto& [fd, socket] : sockets_) socket->release();
}

Result<std::unique_ptr<HttpTransfer>> HttpClient::start(const HttpClientRequest& request,
                                                        HttpTransferListener& listener) {
  CHECK(loop_.on_this_loop());
  if (transfers_ >= options_.transfers_max) {
    return failure(Errc::kLimit, fmt::format("{} outgoing requests are under way on this loop",
                                             options_.transfers_max));
  }
  CURL* easy = nullptr;
  if (free_.empty()) {
    easy = curl_easy_init();
    if (easy == nullptr) return failure(Errc::kInternal, "curl gave no handle");
  } else {
    easy = free_.back();
    free_.pop_back();
  }
  auto transfer = std::make_unique<HttpTransfer>(*this, listener, easy);
  TRY_VOID(transfer->prepare(request));
  if (curl_multi_add_handle(multi_, easy) != CURLM_OK) {
    return failure(Errc::kInternal, "curl did not take a transfer");
  }
  transfer->wait(transfer->connect_);
  return transfer;
}

int HttpClient::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& client = *static_cast<HttpClient*>(self);
  auto found = client.sockets_.find(fd);
  if (found == client.sockets_.end()) {
    if (what == CURL_POLL_REMOVE) return 0;
    auto socket = std::make_shared<CurlSocket>(client, client.loop_.executor(), fd);
    found = client.sockets_.emplace(fd, std::move(socket)).first;
  }
  if (what == CURL_POLL_REMOVE && !found->second->kept()) {
    found->second->release();
    client.sockets_.erase(found);
  } else {
    found->second->want(what);
  }
  return 0;
}

int HttpClient::on_timer(CURLM*, long timeout_ms, void* self) {
  auto& client = *static_cast<HttpClient*>(self);
  if (timeout_ms < 0) {
    client.timer_.disarm();
  } else if (timeout_ms > 0) {
    client.timer_.arm(Deadline::after(std::chrono::milliseconds(timeout_ms)));
  } else if (!client.kicked_) {
    // At the end of this turn: a guest's request leaves in the turn in which it was made.
    client.kicked_ = true;
    client.loop_.defer_last([self, alive = std::weak_ptr(client.alive_)] {
      if (alive.expired()) return;
      auto& later = *static_cast<HttpClient*>(self);
      later.kicked_ = false;
      later.kick();
    });
  }
  return 0;
}

curl_socket_t HttpClient::opened(curl_sockaddr& address) {
  int fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  ++connections_opened_;
  // Were anything left under this number, its end would close the new socket.
  if (auto stale = sockets_.find(fd); stale != sockets_.end()) {
    stale->second->release();
    sockets_.erase(stale);
  }
  sockets_.emplace(fd, std::make_shared<CurlSocket>(*this, loop_.executor(), fd));
  return fd;
}

void HttpClient::established(std::span<const curl_socket_t> opened) {
  for (curl_socket_t fd : opened) {
    if (auto found = sockets_.find(fd); found != sockets_.end()) found->second->keep();
  }
}

int HttpClient::close_socket(void* self, curl_socket_t fd) {
  auto& client = *static_cast<HttpClient*>(self);
  if (auto found = client.sockets_.find(fd); found != client.sockets_.end()) {
    found->second->release();
    client.sockets_.erase(found);
  }
  return ::close(fd);
}

void HttpClient::act(curl_socket_t fd, int events) {
  CHECK(!running_ && loop_.on_this_loop());
  // Nobody is behind those any more whom curl could call.
  remove_dropped();
  running_ = true;
  int left = 0;
  curl_multi_socket_action(multi_, fd, events, &left);
  running_ = false;
  take_ended();
}

void HttpClient::kick() {
  Loop::Turn turn(loop_);
  act(CURL_SOCKET_TIMEOUT, 0);
}

// Tells of the transfers that ended. Their handles are out of curl before anybody hears of it.
void HttpClient::take_ended() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    CURLcode code = message->data.result;
    HttpTransfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    transfer->ended(code);
    remove_dropped();
  }
}

// Takes a transfer out of curl, at the end of the turn when curl or a guest is running now.
void HttpClient::drop(CURL* easy) {
  --transfers_;
  dropped_.push_back(easy);
  if (dropped_.size() > 1) return;
  loop_.defer([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired() && !running_) remove_dropped();
  });
}

void HttpClient::remove_dropped() {
  // Taking one out may call back, which drops nothing.
  while (!dropped_.empty()) {
    CURL* easy = dropped_.back();
    dropped_.pop_back();
    running_ = true;
    curl_multi_remove_handle(multi_, easy);
    running_ = false;
    keep(easy);
  }
}

void HttpClient::keep(CURL* easy) {
  if (free_.size() >= kFreeMax) {
    curl_easy_cleanup(easy);
    return;
  }
  curl_easy_reset(easy);
  free_.push_back(easy);
}

bool HttpClient::resolve_allowed() {
  while (!lingering_.empty() && lingering_.front().passed()) lingering_.pop_front();
  return resolving_ + lingering_.size() < options_.resolves_max;
}

void HttpClient::left_resolving() {
  lingering_.push_back(Deadline::after(kResolverMax));
}

}  // namespace weft
