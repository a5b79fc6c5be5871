#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/http_client/http_client.h"
#include "observe/spans.h"

namespace weft {

// Batches of spans that wait for the endpoint, the one that is being sent included.
inline constexpr std::size_t kBatchesMax = 32;
// How often a batch is sent again where the endpoint is not there, and the pause before.
inline constexpr unsigned kExportTries = 3;
inline constexpr std::chrono::milliseconds kExportPause{1'000};
// How long the end of a host waits for the last ones.
inline constexpr std::chrono::milliseconds kLastExportMax{2'000};

// The body of one export, as OTLP has it in JSON. `offset` is from the steady clock to the
// system's.
std::string otlp_json(const std::vector<Span>& spans, std::chrono::nanoseconds offset);

// Where OTLP over HTTP takes spans: an http or https URL as it stands, with /v1/traces where it has
// no path.
Result<std::string> otlp_endpoint(std::string_view url);

// Sends batches of spans to an endpoint, one at a time. What it does not take, and what does not
// fit, is dropped and counted.
//
// Made and destroyed on its loop's thread, when nobody gives it spans.
class OtlpExporter final : private HttpTransferListener {
 public:
  OtlpExporter(Loop& loop, const HttpClientOptions& options, std::string endpoint);
  OtlpExporter(const OtlpExporter&) = delete;
  ~OtlpExporter() override;

  // From any thread. False: too many wait.
  bool take(std::vector<Span>&& spans);
  // From any thread but the loop's: until everything is sent or dropped.
  void drain(Deadline deadline);

  // From any thread.
  std::uint64_t exported() const { return exported_.get(); }
  std::uint64_t dropped() const { return dropped_.get(); }

 private:
  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t> room) override;
  void head(unsigned status, const HttpHeaders& headers) override;
  bool has_room() override { return true; }
  void data(BytesView) override {}
  void finished(const HttpHeaders& trailers) override;
  void failed(HttpProblem problem, const std::string& detail) override;

  void send();
  void again(std::string_view why);
  void give_up(std::string_view why);
  void next();

  Loop& loop_;
  const std::string endpoint_;
  HttpClient client_;
  std::deque<std::vector<Span>> queue_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::string body_;
  std::size_t read_ = 0;
  unsigned status_ = 0;
  unsigned tries_ = 0;
  bool told_ = false;  // That the endpoint does not take them; anew when it does.
  Timer pause_;
  Counter exported_;
  Counter dropped_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t waiting_ = 0;  // Guarded: batches taken and not done.
};

}  // namespace weft
