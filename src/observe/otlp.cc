#include "observe/otlp.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>

#include "base/json_string.h"
#include "base/log.h"
#include "base/version.h"
#include "io/loop.h"
#include "observe/host_facts.h"

namespace weft {
namespace {

namespace json = boost::json;

json::object attribute(std::string_view key, std::string_view value) {
  json::object typed;
  // 64-bit integers are strings there.
  typed[key == "http.response.status_code" ? "intValue" : "stringValue"] = json_string(value);
  json::object out;
  out["key"] = json_string(key);
  out["value"] = std::move(typed);
  return out;
}

json::object span_json(const Span& span, std::chrono::nanoseconds offset) {
  auto wall = [&](Deadline::Clock::time_point time) {
    return json_string(fmt::format("{}", (time.time_since_epoch() + offset).count()));
  };
  json::object out;
  out["traceId"] = json_string(trace_id_text(span.context));
  out["spanId"] = json_string(fmt::format("{:016x}", span.context.span));
  if (span.context.parent != 0) {
    out["parentSpanId"] = json_string(fmt::format("{:016x}", span.context.parent));
  }
  out["name"] = json_string(span.name);
  out["kind"] = static_cast<int>(span.kind);
  out["startTimeUnixNano"] = wall(span.began);
  out["endTimeUnixNano"] = wall(span.ended);
  json::array attributes;
  for (const auto& [key, value] : span.attributes) attributes.push_back(attribute(key, value));
  out["attributes"] = std::move(attributes);
  if (!span.error.empty()) {
    constexpr int kError = 2;
    json::object status;
    status["code"] = kError;
    status["message"] = json_string(span.error);
    out["status"] = std::move(status);
  }
  return out;
}

}  // namespace

std::string otlp_json(const std::vector<Span>& spans, std::chrono::nanoseconds offset) {
  json::array all;
  for (const Span& each : spans) all.push_back(span_json(each, offset));
  json::object scope;
  scope["name"] = "weft";
  scope["version"] = json_string(kWeftVersion);
  json::object of_scope;
  of_scope["scope"] = std::move(scope);
  of_scope["spans"] = std::move(all);
  json::object resource;
  resource["attributes"] = json::array{attribute("service.name", "weft")};
  json::object of_resource;
  of_resource["resource"] = std::move(resource);
  of_resource["scopeSpans"] = json::array{std::move(of_scope)};
  json::object out;
  out["resourceSpans"] = json::array{std::move(of_resource)};
  return json::serialize(out);
}

Result<std::string> otlp_endpoint(std::string_view url) {
  std::size_t scheme = url.find("://");
  std::string_view rest = scheme == std::string_view::npos ? "" : url.substr(scheme + 3);
  bool known = url.starts_with("http://") || url.starts_with("https://");
  if (!known || rest.empty() || rest.starts_with('/')) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" is no URL of http or https: write http://HOST:4318", url));
  }
  std::size_t path = rest.find('/');
  if (path == std::string_view::npos) return fmt::format("{}/v1/traces", url);
  if (path + 1 == rest.size()) return fmt::format("{}v1/traces", url);
  return std::string(url);
}

OtlpExporter::OtlpExporter(Loop& loop, const HttpClientOptions& options, std::string endpoint)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      client_(loop, options),
      pause_(loop, [this] { send(); }) {}

OtlpExporter::~OtlpExporter() {
  for (const auto& batch : queue_) dropped_.add(batch.size());
}

bool OtlpExporter::take(std::vector<Span>&& spans) {
  {
    std::lock_guard hold(mutex_);
    if (waiting_ >= kBatchesMax) return false;
    ++waiting_;
  }
  loop_.post([this, batch = std::move(spans)]() mutable {
    queue_.push_back(std::move(batch));
    if (queue_.size() == 1) send();
  });
  return true;
}

void OtlpExporter::drain(Deadline deadline) {
  std::unique_lock hold(mutex_);
  changed_.wait_until(hold, deadline.when(), [this] { return waiting_ == 0; });
}

// The first batch of the queue.
void OtlpExporter::send() {
  auto offset = std::chrono::system_clock::now().time_since_epoch() -
                Deadline::Clock::now().time_since_epoch();
  if (tries_++ == 0) body_ = otlp_json(queue_.front(), offset);
  read_ = 0;
  status_ = 0;
  auto started = client_.start({.method = "POST",
                                .url = endpoint_,
                                .headers = {{"content-type", "application/json"}},
                                .body_length = static_cast<std::int64_t>(body_.size())},
                               *this);
  if (started) {
    transfer_ = *std::move(started);
  } else {
    give_up(started.error().message());
  }
}

std::int64_t OtlpExporter::read(std::span<std::uint8_t> room) {
  std::size_t count = std::min(room.size(), body_.size() - read_);
  std::memcpy(room.data(), body_.data() + read_, count);
  read_ += count;
  return static_cast<std::int64_t>(count);
}

void OtlpExporter::head(unsigned status, const HttpHeaders&) {
  status_ = status;
}

void OtlpExporter::finished(const HttpHeaders&) {
  transfer_.reset();
  if (status_ / 100 == 2) {
    told_ = false;
    exported_.add(queue_.front().size());
    return next();
  }
  std::string why = fmt::format("status {}", status_);
  // What the standard names as worth another try.
  bool later = status_ == 429 || status_ == 502 || status_ == 503 || status_ == 504;
  later ? again(why) : give_up(why);
}

void OtlpExporter::failed(HttpProblem problem, const std::string& detail) {
  std::string why = detail.empty() ? std::string(to_string(problem)) : detail;
  transfer_.reset();
  again(why);
}

void OtlpExporter::again(std::string_view why) {
  if (tries_ >= kExportTries) return give_up(why);
  pause_.arm(Deadline::after(kExportPause));
}

void OtlpExporter::give_up(std::string_view why) {
  dropped_.add(queue_.front().size());
  if (!std::exchange(told_, true)) {
    log::warn("observe", "spans are dropped: the endpoint does not take them",
              {{"endpoint", endpoint_}, {"reason", why}});
  }
  next();
}

void OtlpExporter::next() {
  queue_.pop_front();
  tries_ = 0;
  {
    std::lock_guard hold(mutex_);
    --waiting_;
  }
  changed_.notify_all();
  // Not from inside an event: the client is asked for another transfer in a turn of its own.
  if (!queue_.empty()) pause_.arm(Deadline::at(loop_.now()));
}

}  // namespace weft
