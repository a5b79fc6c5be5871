#include "exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <utility>

using weft::Errc;
using weft::Error;
using weft::HttpProblem;
using weft::Task;

namespace {

// Endpoints need their time to think, not to connect.
constexpr std::chrono::milliseconds kConnectMax{10'000};

Errc code_of(HttpProblem problem) {
  switch (problem) {
    case HttpProblem::kDnsTimeout:
    case HttpProblem::kConnectionTimeout:
    case HttpProblem::kReadTimeout: return Errc::kTimeout;
    case HttpProblem::kHeaderSize:
    case HttpProblem::kProtocol:
    case HttpProblem::kInternal: return Errc::kIo;
    default: return Errc::kUnavailable;
  }
}

}  // namespace

Endpoint::Endpoint(weft::Loop& loop, EndpointSettings settings)
    : client_(loop, {.timeout_max = std::chrono::hours(1)}), settings_(std::move(settings)) {}

Endpoint::~Endpoint() {
  for (Exchange* each : running_) {
    each->transfer_.reset();
    each->endpoint_ = nullptr;
  }
}

Task<std::unique_ptr<Exchange>> Endpoint::ask(HttpAsk what) {
  weft::HttpClientRequest request{
      .method = what.method,
      .url = settings_.url + what.path,
      .body_length = static_cast<std::int64_t>(what.body.size()),
      .connect_timeout = kConnectMax,
      .first_byte_timeout = settings_.first_byte,
      .between_bytes_timeout = settings_.idle,
  };
  if (!what.body.empty()) request.headers.emplace_back("content-type", "application/json");
  if (!settings_.key.reveal().empty()) {
    request.headers.emplace_back("authorization", fmt::format("Bearer {}", settings_.key.reveal()));
  }
  auto exchange = std::make_unique<Exchange>(*this, std::move(what.body));
  CO_TRY(exchange->transfer_, client_.start(request, *exchange));
  CO_TRY(bool answered, co_await exchange->head_.reader.readable(weft::Deadline::never()));
  if (!answered) co_return weft::failure(Errc::kUnavailable, "there was no answer");
  co_return std::move(exchange);
}

Exchange::Exchange(Endpoint& endpoint, std::string body)
    : endpoint_(&endpoint),
      sent_(std::move(body)),
      head_(weft::Pipe::make(endpoint.client_.loop(), weft::PipeKind::kOne)),
      body_(weft::Pipe::make(endpoint.client_.loop(), weft::PipeKind::kBytes)) {
  endpoint.running_.insert(this);
}

Exchange::~Exchange() {
  if (endpoint_ != nullptr) endpoint_->running_.erase(this);
}

Task<std::string> Exchange::read() {
  CO_TRY(bool more, co_await body_.reader.readable(weft::Deadline::never()));
  if (!more) co_return std::string();
  std::string piece(weft::as_text(body_.reader.view()));
  body_.reader.take(piece.size());
  pass_on();
  if (transfer_ != nullptr) transfer_->resume_response();
  co_return piece;
}

Task<std::string> Exchange::read_all(std::size_t max) {
  std::string all;
  for (;;) {
    CO_TRY(std::string piece, co_await read());
    if (piece.empty()) co_return all;
    if (piece.size() > max - all.size()) {
      co_return weft::failure(Errc::kLimit, fmt::format("it is longer than {} bytes", max));
    }
    all += piece;
  }
}

void Exchange::stop() {
  if (std::exchange(closed_, true)) return;
  body_.writer.fail(Error(Errc::kCancelled, "nobody waits for it any more"));
}

std::int64_t Exchange::read(std::span<std::uint8_t> room) {
  std::size_t count = std::min(room.size(), sent_.size() - sent_count_);
  std::copy_n(sent_.begin() + static_cast<std::ptrdiff_t>(sent_count_), count, room.begin());
  sent_count_ += count;
  return count == 0 ? kEnd : static_cast<std::int64_t>(count);
}

void Exchange::head(unsigned status, const weft::HttpHeaders& headers) {
  status_ = status;
  for (const auto& [name, value] : headers) {
    if (!std::ranges::equal(name, std::string_view("retry-after"), {}, ::tolower)) continue;
    std::uint32_t seconds = 0;
    auto read = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (read.ec == std::errc()) retry_after_ = seconds;
  }
  head_.writer.write_item({});
}

void Exchange::data(weft::BytesView bytes) {
  rest_ = weft::as_text(bytes);
  pass_on();
}

void Exchange::pass_on() {
  if (closed_) return;
  rest_.erase(0, body_.writer.write(weft::as_bytes(rest_)));
  closed_ = rest_.empty() && (whole_ || broken_);
  if (!closed_) return;
  if (broken_) return body_.writer.fail(*broken_);
  body_.writer.finish();
}

void Exchange::finished(const weft::HttpHeaders&) {
  whole_ = true;
  pass_on();
}

void Exchange::failed(HttpProblem problem, const std::string& detail) {
  // For the operator: this goes to weft's log. Clients see only what kind of thing it was.
  fmt::print(stderr, "the endpoint: {} ({})\n", to_string(problem), detail);
  Error error(code_of(problem), fmt::format("the endpoint: {}", to_string(problem)));
  if (status_ == 0) return head_.writer.fail(std::move(error));
  broken_ = std::move(error);
  pass_on();
}
