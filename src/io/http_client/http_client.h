#pragma once

#include <curl/curl.h>

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "io/http_client/options.h"
#include "io/http_client/transfer.h"
#include "io/timer.h"

namespace weft {

class CurlSocket;
class Loop;

// One loop's outgoing HTTP: its connections, kept open between requests, and its transfers.
//
// Made, used and destroyed on the loop's thread; its transfers are gone before.
class HttpClient {
 public:
  // What is wrong with the options, told before anything is served.
  static Result<void> check(const HttpClientOptions& options);

  HttpClient(Loop& loop, HttpClientOptions options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // Begins a transfer; the first event comes after the running handler. kLimit when transfers_max
  // are under way. The listener outlives the transfer.
  Result<std::unique_ptr<HttpTransfer>> start(const HttpClientRequest& request,
                                              HttpTransferListener& listener);

  Loop& loop() { return loop_; }
  std::size_t transfers() const { return transfers_; }
  // Connections opened so far.
  std::uint64_t connections_opened() const { return connections_opened_; }

 private:
  friend class CurlSocket;
  friend class HttpTransfer;

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long timeout_ms, void* self);
  static int close_socket(void* self, curl_socket_t fd);

  curl_socket_t opened(curl_sockaddr& address);
  // Of the sockets that a transfer opened, those that are still there carry its connection.
  void established(std::span<const curl_socket_t> opened);
  void act(curl_socket_t fd, int events);
  void kick();
  void take_ended();
  void drop(CURL* easy);
  void remove_dropped();
  void keep(CURL* easy);
  bool resolve_allowed();
  void left_resolving();

  Loop& loop_;
  const HttpClientOptions options_;
  CURLM* multi_;
  Timer timer_;
  std::unordered_map<curl_socket_t, std::shared_ptr<CurlSocket>> sockets_;
  std::vector<CURL*> free_;     // Handles to use again.
  std::vector<CURL*> dropped_;  // To be taken out of curl when it is not running.
  std::size_t transfers_ = 0;
  std::size_t resolving_ = 0;
  std::deque<Deadline> lingering_;  // Look-ups that nobody waits for any more.
  std::uint64_t connections_opened_ = 0;
  bool running_ = false;  // Inside curl.
  bool kicked_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // For what was deferred.
};

}  // namespace weft
