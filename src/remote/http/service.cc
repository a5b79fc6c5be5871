#include "remote/http/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft::remote {
namespace {

// Connections of one loop, and requests that are under way: further ones wait for a connection, as
// long as they may wait for one to be made.
constexpr std::size_t kConnectionsMax = 128;
constexpr std::size_t kRequestsMax = 4'096;

// A piece of a response's body.
constexpr std::size_t kPieceRoom = std::size_t{64} << 10;

constexpr unsigned kTooMany = 429;
constexpr unsigned kServerError = 500;
constexpr unsigned kNotImplemented = 501;

bool surely_not_begun(HttpProblem problem) {
  switch (problem) {
    case HttpProblem::kTerminated:
    case HttpProblem::kReadTimeout:
    case HttpProblem::kHeaderSize:
    case HttpProblem::kIncomplete:
    case HttpProblem::kProtocol:
    case HttpProblem::kBodyBroken:
    case HttpProblem::kInternal: return false;
    default: return true;
  }
}

Errc code_of(HttpProblem problem) {
  switch (problem) {
    case HttpProblem::kReadTimeout:
    case HttpProblem::kConnectionTimeout:
    case HttpProblem::kDnsTimeout: return Errc::kTimeout;
    case HttpProblem::kUrl: return Errc::kInvalid;
    default: return Errc::kUnavailable;
  }
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

HttpClientOptions client_options(const HttpServiceOptions& options) {
  return {.ca_file = options.ca_file,
          .pinned_key = options.pinned_key,
          .connections_max = kConnectionsMax,
          .connections_per_host_max = kConnectionsMax,
          .transfers_max = kRequestsMax,
          .connect_timeout = std::min(options.timeout, std::chrono::milliseconds(10'000)),
          .first_byte_timeout = options.timeout,
          .between_bytes_timeout = options.timeout};
}

}  // namespace

HttpResponse::HttpResponse(std::shared_ptr<HttpService> service)
    : service_(std::move(service)), signal_(service_->loop()) {}

HttpResponse::~HttpResponse() = default;

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [each, value] : headers_) {
    if (same_name(each, name)) return value;
  }
  return {};
}

std::int64_t HttpResponse::read(std::span<std::uint8_t> room) {
  std::size_t count = 0;
  while (!body_.empty() && count < room.size()) {
    const Bytes& piece = body_.front();
    std::size_t some = std::min(piece.size() - body_at_, room.size() - count);
    std::memcpy(room.data() + count, piece.data() + body_at_, some);
    count += some;
    body_at_ += some;
    if (body_at_ < piece.size()) break;
    body_ = body_.subspan(1);
    body_at_ = 0;
  }
  return count == 0 ? kEnd : static_cast<std::int64_t>(count);
}

void HttpResponse::head(unsigned status, const HttpHeaders& headers) {
  status_ = status;
  headers_ = headers;
  std::string_view length = header("content-length");
  std::from_chars(length.data(), length.data() + length.size(), left_);
  signal_.raise();
}

// What comes in small pieces is handed on in larger ones, if nobody is faster.
void HttpResponse::data(BytesView bytes) {
  held_ += bytes.size();
  if (pieces_.empty() || pieces_.back().size() + bytes.size() > kPieceRoom) {
    pieces_.emplace_back();
    pieces_.back().reserve(std::min(kPieceRoom, std::max(bytes.size(), left_)));
  }
  pieces_.back().insert(pieces_.back().end(), bytes.begin(), bytes.end());
  left_ -= std::min(left_, bytes.size());
  signal_.raise();
}

void HttpResponse::finished(const HttpHeaders&) {
  over_ = true;
  transfer_.reset();
  signal_.raise();
}

void HttpResponse::failed(HttpProblem problem, const std::string& detail) {
  over_ = true;
  std::string_view what = to_string(problem);
  std::string message = fmt::format("{}: {}", service_->options().name, what);
  if (!detail.empty() && detail != what) message += ": " + detail;
  error_.emplace(Error(code_of(problem), std::move(message)), !surely_not_begun(problem));
  transfer_.reset();
  signal_.raise();
}

Task<Bytes> HttpResponse::read(Deadline deadline) {
  while (pieces_.empty()) {
    if (error_) co_return std::unexpected(error_->error);
    if (over_) co_return Bytes();
    CO_TRY_VOID(co_await signal_.wait(deadline));
  }
  Bytes piece = std::move(pieces_.front());
  pieces_.pop_front();
  held_ -= piece.size();
  if (transfer_ != nullptr && held_ <= kHeldBytesMax / 2) transfer_->resume_response();
  co_return piece;
}

Task<std::string> HttpResponse::text(Deadline deadline) {
  std::string all;
  for (;;) {
    CO_TRY(Bytes piece, co_await read(deadline));
    if (piece.empty()) co_return all;
    if (all.size() + piece.size() > kTextBytesMax) {
      co_return failure(Errc::kLimit, fmt::format("{} answers with more than {} bytes",
                                                  service_->options().name, kTextBytesMax));
    }
    all += as_text(piece);
  }
}

HttpService::HttpService(Loop& loop, HttpServiceOptions options)
    : loop_(loop),
      options_(std::move(options)),
      client_(loop, client_options(options_)),
      breaker_(std::random_device{}()),
      random_(std::random_device{}()) {}

// While the server cannot be reached: waits for the next attempt's time, or says no at once.
Task<void> HttpService::admit(Deadline deadline) {
  while (!breaker_.may_try(Deadline::Clock::now()) || probing_) {
    if (!breaker_.closed() || probing_) {
      CHECK(last_.has_value());
      co_return std::unexpected(*last_);
    }
    Deadline next = Deadline::at(breaker_.next());
    CO_TRY_VOID(co_await pause(loop_, earlier(next, deadline)));
    if (deadline.passed()) co_return std::unexpected(*last_);
  }
  co_return Result<void>();
}

Task<HttpService::Attempt> HttpService::attempt(const HttpAsk& ask, Deadline deadline) {
  Attempt out;
  auto response = std::make_unique<HttpResponse>(shared_from_this());
  response->body_ = ask.body;
  HttpClientRequest request{.method = ask.method, .url = ask.url, .headers = ask.headers()};
  for (const Bytes& piece : ask.body) {
    request.body_length += static_cast<std::int64_t>(piece.size());
  }
  auto began = Deadline::Clock::now();
  // An empty piece would be taken for the body's end.
  CHECK(std::ranges::none_of(ask.body, &Bytes::empty));
  CO_TRY(response->transfer_, client_.start(request, *response));
  struct Probe {
    bool& probing;
    bool mine;
    ~Probe() {
      if (mine) probing = false;
    }
  } probe{probing_, !breaker_.closed()};
  if (probe.mine) probing_ = true;
  while (response->status_ == 0 && !response->error_) {
    CO_TRY_VOID(co_await response->signal_.wait(deadline));
  }
  Health* health = options_.health.get();
  if (response->status_ != 0) {
    breaker_.succeeded();
    if (health != nullptr) health->up(), health->answered(began);
    out.response = std::move(response);
    co_return out;
  }
  breaker_.failed(began, Deadline::Clock::now());
  if (health != nullptr) {
    health->down();
    if (response->error_->begun) health->unanswered();
  }
  last_ = response->error_->error;
  out.failure = std::move(response->error_);
  co_return out;
}

std::chrono::milliseconds HttpService::pause_before(unsigned attempt) {
  auto longest = kPauseFirst.count() << attempt;
  return std::chrono::milliseconds(longest / 2 + static_cast<std::int64_t>(random_()) %
                                                     std::max<std::int64_t>(longest / 2, 1));
}

Error HttpService::unknown(Error error, const HttpAsk& ask) const {
  if (ask.method == "GET" || ask.method == "HEAD" || ask.begun != nullptr) return error;
  return Error(error.code(), error.message() + "; whether it was done is not known");
}

Task<std::unique_ptr<HttpResponse>> HttpService::ask(HttpAsk ask, Deadline deadline) {
  bool repeatable = ask.repeat == HttpAsk::Repeat::kYes;
  // Whether the server may have carried out any of the attempts.
  bool begun = false;
  auto begin = [&] {
    begun = true;
    if (ask.begun != nullptr) *ask.begun = true;
  };
  for (unsigned number = 1;; ++number) {
    if (auto admitted = co_await admit(deadline); !admitted) {
      Error error = std::move(admitted).error();
      co_return std::unexpected(begun ? unknown(std::move(error), ask) : std::move(error));
    }
    auto tried = co_await attempt(ask, deadline);
    if (!tried) {
      if (tried.error().code() != Errc::kTimeout) {
        co_return std::unexpected(std::move(tried).error());
      }
      begin();
      Error late(Errc::kTimeout, fmt::format("{}: no answer before the deadline", options_.name));
      co_return std::unexpected(unknown(std::move(late), ask));
    }
    bool last = number == kAttemptsMax;
    if (tried->response != nullptr) {
      unsigned status = tried->response->status();
      // Also 503 may come from what stands before the server, after it passed the request on.
      bool failed = status >= kServerError && status != kNotImplemented;
      if (failed) begin();
      bool again =
          (status == kTooMany && ask.repeat != HttpAsk::Repeat::kNever) || (failed && repeatable);
      auto wait = Deadline::after(pause_before(number));
      if (!again || last || earlier(wait, deadline).when() == deadline.when()) {
        co_return std::move(tried->response);
      }
      tried->response.reset();
      CO_TRY_VOID(co_await pause(loop_, wait));
      continue;
    }
    if (tried->failure->begun) begin();
    bool again = !tried->failure->begun || repeatable;
    if (again && !last && !deadline.passed() && breaker_.closed()) continue;
    Error error = std::move(tried->failure->error);
    co_return std::unexpected(begun ? unknown(std::move(error), ask) : std::move(error));
  }
}

}  // namespace weft::remote
