#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/deadline.h"
#include "io/http_client/http_client.h"
#include "io/task.h"
#include "remote/breaker.h"
#include "remote/health.h"
#include "remote/http/signal.h"

namespace weft::remote {

// How often a request is sent at most, and what lies between.
inline constexpr unsigned kAttemptsMax = 4;
inline constexpr std::chrono::milliseconds kPauseFirst{50};
// The answer to a request for a range that has nothing of what is there.
inline constexpr unsigned kStatusNoRange = 416;
// Of a response that is taken as one text.
inline constexpr std::size_t kTextBytesMax = std::size_t{8} << 20;
// Of a response's body, held until it is read.
inline constexpr std::size_t kHeldBytesMax = std::size_t{256} << 10;

struct HttpServiceOptions {
  std::string name;  // What messages call it: "S3 at https://s3.example.com".
  std::string ca_file = {};
  std::string pinned_key = {};  // As HttpClientOptions has it.
  // A server that owes something and sends nothing for so long is given up.
  std::chrono::milliseconds timeout{30'000};
  // Told of attempts and answers. Shared with the backend; null where nobody wants to know.
  std::shared_ptr<Health> health = nullptr;
};

struct HttpAsk {
  // Whether it may be done twice for one call. kNo: what the server says it has not done is asked
  // again; kNever: whatever it says is the answer.
  enum class Repeat : std::uint8_t { kNever, kNo, kYes };

  std::string method;
  std::string url;
  Repeat repeat = Repeat::kNo;
  // Makes the headers of one attempt.
  std::function<HttpHeaders()> headers;
  std::span<const Bytes> body = {};  // Borrowed.
  // Borrowed; where it is given, set once the server may have had an attempt that failed, and the
  // message leaves it to who asks to say what that means.
  bool* begun = nullptr;
};

class HttpService;

// A response whose head is there. Owned by who asked, on its loop; dropped, it breaks off what is
// still on its way.
class HttpResponse final : public HttpTransferListener {
 public:
  explicit HttpResponse(std::shared_ptr<HttpService> service);
  ~HttpResponse() override;

  unsigned status() const { return status_; }
  // The first of that name, in any case; empty where there is none.
  std::string_view header(std::string_view name) const;
  // The next bytes of the body; none at its end. kUnavailable when the connection breaks.
  Task<Bytes> read(Deadline deadline);
  // All that is left. kLimit beyond kTextBytesMax.
  Task<std::string> text(Deadline deadline);
  // All is here: nothing depends on the connection any more.
  bool whole() const { return over_ && !error_; }

  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t> room) override;
  void head(unsigned status, const HttpHeaders& headers) override;
  bool has_room() override { return held_ < kHeldBytesMax; }
  void data(BytesView bytes) override;
  void finished(const HttpHeaders& trailers) override;
  void failed(HttpProblem problem, const std::string& detail) override;

 private:
  friend class HttpService;
  struct Failure {
    Error error;
    bool begun;  // The server may have had the request.
  };

  Error broken() const;

  std::shared_ptr<HttpService> service_;  // Shared: its client outlives the transfer.
  Signal signal_;
  std::span<const Bytes> body_;
  std::size_t body_at_ = 0;  // In the first piece.
  unsigned status_ = 0;
  HttpHeaders headers_;
  std::deque<Bytes> pieces_;
  std::size_t held_ = 0;
  std::size_t left_ = 0;  // Of what the head said will come; 0 where it said nothing.
  bool over_ = false;
  std::optional<Failure> error_;
  std::unique_ptr<HttpTransfer> transfer_;
};

// One loop's way to one server. Shared by whoever asks on the loop and by their responses.
class HttpService : public std::enable_shared_from_this<HttpService> {
 public:
  HttpService(Loop& loop, HttpServiceOptions options);
  HttpService(const HttpService&) = delete;

  Loop& loop() { return loop_; }
  const HttpServiceOptions& options() const { return options_; }

  // The response, whatever its status; statuses that call for another attempt have had theirs.
  // kUnavailable when there is none, kTimeout at the deadline; the message says when it is not
  // known whether the request was carried out.
  Task<std::unique_ptr<HttpResponse>> ask(HttpAsk ask, Deadline deadline);

 private:
  friend class HttpResponse;
  struct Attempt {
    std::unique_ptr<HttpResponse> response;  // Null: it failed.
    std::optional<HttpResponse::Failure> failure;
  };

  Task<Attempt> attempt(const HttpAsk& ask, Deadline deadline);
  Task<void> admit(Deadline deadline);
  std::chrono::milliseconds pause_before(unsigned attempt);
  Error unknown(Error error, const HttpAsk& ask) const;

  Loop& loop_;
  const HttpServiceOptions options_;
  HttpClient client_;
  Breaker breaker_;
  std::minstd_rand random_;
  bool probing_ = false;       // The breaker is open, and one request tries.
  std::optional<Error> last_;  // Why the server could not be reached.
};

}  // namespace weft::remote
