#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/net_address.h"
#include "io/timer.h"

namespace weft {

class HttpClient;

// Why a transfer failed.
enum class HttpProblem : std::uint8_t {
  kDenied,  // `may_connect` refused every address.
  kUrl,     // The URL or the method is not sendable.
  kDnsTimeout,
  kDnsError,
  kConnectionRefused,
  kConnectionTimeout,
  kUnroutable,
  kUnavailable,      // Any other reason why no connection came about.
  kConnectionLimit,  // A bound of the client.
  kTlsCertificate,
  kTlsProtocol,
  kTerminated,   // The connection broke before a response.
  kReadTimeout,  // Nothing came for too long.
  kHeaderSize,   // The response's head is longer than head_bytes_max.
  kIncomplete,   // The connection broke within the response.
  kProtocol,
  kBodyBroken,  // The request's body ended before its end.
  kInternal,
};

std::string_view to_string(HttpProblem problem);

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpClientRequest {
  std::string method = "GET";
  std::string url = {};
  HttpHeaders headers = {};  // Without host, content-length and what concerns one connection.
  static constexpr std::int64_t kUnknownLength = -1;
  std::int64_t body_length = 0;  // 0: there is no body.
  // 0: the client's own. Longer ones than timeout_max are cut.
  std::chrono::milliseconds connect_timeout{0};
  std::chrono::milliseconds first_byte_timeout{0};
  std::chrono::milliseconds between_bytes_timeout{0};
};

// Whom a transfer tells. Called on the loop, never from inside a call of the transfer. Only
// `finished` and `failed` may destroy it; each is the last call.
class HttpTransferListener {
 public:
  static constexpr std::int64_t kEnd = 0;
  static constexpr std::int64_t kNothingYet = -1;
  static constexpr std::int64_t kBroken = -2;

  virtual ~HttpTransferListener() = default;
  // Asked for every address before anything is sent to it.
  virtual bool may_connect(const IpAddress& address) = 0;
  // Reads the request's body: the number of bytes, kEnd, kBroken, or kNothingYet: then
  // `resume_body` goes on.
  virtual std::int64_t read(std::span<std::uint8_t> room) = 0;
  virtual void head(unsigned status, const HttpHeaders& headers) = 0;
  // False: no data is taken until `resume_response`.
  virtual bool has_room() = 0;
  virtual void data(BytesView bytes) = 0;
  virtual void finished(const HttpHeaders& trailers) = 0;
  virtual void failed(HttpProblem problem, const std::string& detail) = 0;
};

// One request under way. Owned by who started it, gone before the client; dropping it stops the
// transfer.
class HttpTransfer {
 public:
  HttpTransfer(HttpClient& client, HttpTransferListener& listener, CURL* easy);
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer();

  // More of the body can be read. Not from inside an event.
  void resume_body();
  // There is room again.
  void resume_response();
  bool waits_for_room() const { return response_paused_; }

 private:
  friend class HttpClient;
  enum class Phase : std::uint8_t { kConnecting, kSent, kStreaming };

  Result<void> prepare(const HttpClientRequest& request);
  void set_pauses();
  void set_resolving(bool resolving);
  void wait(std::chrono::milliseconds timeout);
  void on_timeout();
  bool refuse(HttpProblem problem, std::string detail);
  bool may_connect(const IpAddress* address);
  std::size_t on_header(std::string_view line);
  std::size_t on_body(BytesView bytes);
  std::size_t on_read(std::span<std::uint8_t> room);
  void ended(CURLcode code);
  HttpProblem problem_of(CURLcode code) const;

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address);
  static int before_request(void* self, char* remote, char*, int, int);
  static int before_resolve(void*, void*, void* self);

  HttpClient& client_;
  HttpTransferListener& listener_;
  CURL* easy_;  // Null once it ended.
  curl_slist* headers_ = nullptr;
  Timer timer_;
  std::chrono::milliseconds connect_{0};
  std::chrono::milliseconds first_byte_{0};
  std::chrono::milliseconds between_bytes_{0};
  Phase phase_ = Phase::kConnecting;
  bool changes_nothing_ = true;  // By its method: curl may send it again.
  std::vector<curl_socket_t> opened_;
  bool resolving_ = false;
  bool body_paused_ = false;
  bool response_paused_ = false;
  bool refused_ = false;  // `problem_` says why we broke it off.
  HttpProblem problem_ = HttpProblem::kInternal;
  std::string detail_;
  unsigned status_ = 0;
  std::size_t head_bytes_ = 0;
  HttpHeaders fields_;  // Of the head, then the trailers.
};

}  // namespace weft
