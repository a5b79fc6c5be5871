#include "engine/guest_exchange.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/id.h"
#include "base/log.h"
#include "engine/flat_headers.h"
#include "io/http/response_head.h"
#include "io/loop.h"

namespace weft {

namespace {

constexpr std::string_view kErrorType = "text/plain; charset=utf-8";

void put_all(Buffer& out, std::span<const Header> headers) {
  out.clear();
  for (const Header& header : headers) put_flat(out, header.name, header.value);
}

// The headers of a flat list, borrowed from it.
std::vector<Header>& read_flat(rust::Slice<const std::uint8_t> flat) {
  thread_local std::vector<Header> headers;
  headers.clear();
  for (FlatHeaders all({flat.data(), flat.size()}); !all.done();) {
    std::string_view name = all.part();
    headers.push_back({name, all.part()});
  }
  return headers;
}

rust::Slice<const std::uint8_t> slice(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

void GuestExchange::open(HttpExchange::Ptr exchange) {
  exchange_ = std::move(exchange);
  exchange_->listen(this);
  begun_ = finished_ = false;
  local_ = exchange_->request().authority.empty() ? exchange_->local() : std::string();
  put_all(headers_, exchange_->request().headers);
}

void GuestExchange::fail(std::uint16_t status) {
  if (exchange_ == nullptr || finished_) return;
  if (begun_) {
    if (status == 502) {
      log::warn("http", "a guest's response broke off: its body did not end, or not at its length",
                {{"request", id_text(exchange_->id)}});
    }
    exchange_->abort();
  } else {
    std::string id = id_text(exchange_->id);
    std::string body = fmt::format("{}\nrequest {}\n", status_reason(status), id);
    std::array<Header, 3> headers{
        {{"content-type", kErrorType}, {"x-request-id", id}, {"retry-after", "1"}}};
    std::size_t count = status == 503 ? 3 : 2;
    if (exchange_->begin_response(status, std::span(headers).first(count), body.size())) {
      exchange_->write(as_bytes(body));
      exchange_->finish();
    }
  }
  finished_ = true;
}

void GuestExchange::close() {
  if (exchange_ != nullptr) {
    exchange_->listen(nullptr);
    exchange_.reset();
  }
  body_waker_.reset();
  room_waker_.reset();
}

GuestExchange::Bytes GuestExchange::method() const {
  return slice(exchange_->request().method);
}
GuestExchange::Bytes GuestExchange::target() const {
  return slice(exchange_->request().path);
}
GuestExchange::Bytes GuestExchange::authority() const {
  return slice(local_.empty() ? exchange_->request().authority : std::string_view(local_));
}
bool GuestExchange::has_body() const {
  return exchange_->request().has_body();
}

std::int64_t GuestExchange::read(rust::Slice<std::uint8_t> room) {
  if (exchange_ == nullptr) return -2;
  std::size_t count = exchange_->read_body({room.data(), room.size()});
  if (count > 0) {
    moved();
    return static_cast<std::int64_t>(count);
  }
  switch (exchange_->body_state()) {
    case BodyState::kMore: return -1;
    case BodyState::kEnd: return 0;
    case BodyState::kFailed: return -2;
  }
  return -2;
}

GuestExchange::Bytes GuestExchange::trailers() {
  put_all(headers_,
          exchange_ == nullptr ? std::span<const Header>() : exchange_->request_trailers());
  return headers();
}

void GuestExchange::wait_body(rust::Box<bridge::CallWaker> waker) {
  body_waker_.emplace(std::move(waker));
}

void GuestExchange::head(std::uint16_t status, Bytes headers, std::int64_t length) {
  if (exchange_ == nullptr || begun_) return;
  std::optional<std::uint64_t> content_length;
  if (length >= 0) content_length = static_cast<std::uint64_t>(length);
  Result<void> begun = exchange_->begin_response(status, read_flat(headers), content_length);
  if (!begun) {
    log::warn("http", "a guest's response head cannot go on the wire",
              {{"request", id_text(exchange_->id)}, {"reason", begun.error().message()}});
    fail(500);
    return;
  }
  begun_ = true;
  moved();
  owner_.on_head();
}

bool GuestExchange::write(Bytes data) {
  if (exchange_ == nullptr || finished_) return true;
  moved();
  return exchange_->write({data.data(), data.size()});
}

void GuestExchange::moved() {
  moved_at_ = exchange_->loop().now();
}

bool GuestExchange::has_room() const {
  return exchange_ == nullptr || finished_ || exchange_->writable() > 0;
}

void GuestExchange::wait_room(rust::Box<bridge::CallWaker> waker) {
  room_waker_.emplace(std::move(waker));
}

void GuestExchange::finish(Bytes trailers) {
  if (exchange_ == nullptr || finished_) return;
  if (trailers.empty()) {
    exchange_->finish();
  } else {
    exchange_->finish_with_trailers(read_flat(trailers));
  }
  finished_ = true;
}

void GuestExchange::on_body_ready() {
  if (auto waker = std::exchange(body_waker_, std::nullopt)) (*waker)->wake();
}
void GuestExchange::on_writable() {
  if (auto waker = std::exchange(room_waker_, std::nullopt)) (*waker)->wake();
}
void GuestExchange::on_gone() {
  owner_.on_gone();
}

}  // namespace weft
