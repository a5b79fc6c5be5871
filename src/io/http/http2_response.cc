// The sending half of an HTTP/2 stream: what the serving side says becomes nghttp2's frames.

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/id.h"
#include "io/http/http2_stream.h"
#include "io/http/listener.h"
#include "io/http/response_head.h"
#include "io/loop.h"

namespace weft {
namespace {

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

ssize_t read_body_part(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                       std::uint32_t* flags, nghttp2_data_source* source, void*) {
  long count = static_cast<Http2Stream*>(source->ptr)->take({into, room}, *flags);
  return count < 0 ? static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED) : static_cast<ssize_t>(count);
}

}  // namespace

void Http2Stream::ask_for_body() {
  nghttp2_nv status = pair_of(":status", "100");
  nghttp2_submit_headers(session_->session_, NGHTTP2_FLAG_NONE, stream_id_, nullptr, &status, 1,
                         nullptr);
}

Result<void> Http2Stream::begin_response(int status, std::span<const Header> headers,
                                         std::optional<std::uint64_t> content_length) {
  CHECK(!begun_ || gone_);
  if (gone_) return {};
  std::vector<Header> kept;
  TRY(ResponseFraming framing, filter_response_head(kept, status, headers, listener_->date()));
  if (content_length && framing.content_length.value_or(*content_length) != *content_length) {
    return failure(Errc::kInvalid, "the Content-Length is not the length of the body");
  }
  for (const Header& each : kept) response_.add_lower(each.name, each.value);
  begun_ = true;
  status_ = status;
  head_at_ = Deadline::Clock::now();
  length_ = content_length ? content_length : framing.content_length;
  no_body_ = head_.method == "HEAD" || status == 204 || status == 304;
  touch();
  return {};
}

bool Http2Stream::write(BytesView bytes) {
  if (gone_) return true;
  CHECK(begun_ && !finished_);
  if (no_body_) {
    dropped_ += bytes.size();
    return true;
  }
  written_ += bytes.size();
  if (length_ && written_ > *length_) {
    abort();
    return true;
  }
  pending_.append(bytes);
  touch();
  if (buffered() < kWriteBuffer) return true;
  write_wanted_ = true;
  return false;
}

std::size_t Http2Stream::writable() {
  if (buffered() < kWriteBuffer) return kWriteBuffer - buffered();
  write_wanted_ = true;
  return 0;
}

void Http2Stream::finish() {
  if (gone_) return;
  CHECK(begun_ && !finished_);
  if (!no_body_ && length_.value_or(written_) != written_) return abort();
  finished_ = true;
  touch();
}

void Http2Stream::finish_with_trailers(std::span<const Header> trailers) {
  if (gone_) return;
  std::vector<Header> kept;
  filter_trailers(kept, trailers);
  for (const Header& each : kept) response_trailers_.add_lower(each.name, each.value);
  finish();
}

void Http2Stream::abort() {
  if (gone_) return;
  broken_ = gone_ = told_gone_ = true;
  reset(NGHTTP2_INTERNAL_ERROR);
}

void Http2Stream::reset(std::uint32_t error) {
  pending_ = Buffer();
  pending_pos_ = 0;
  if (session_ == nullptr) return;
  nghttp2_submit_rst_stream(session_->session_, NGHTTP2_FLAG_NONE, stream_id_, error);
  touch();
}

void Http2Stream::release() {
  events_ = nullptr;
  told_gone_ = true;
  if (!gone_ && !begun_) {
    std::string number = id_text(id);
    const Header header{"x-request-id", number};
    CHECK(begin_response(500, std::span(&header, id != 0 ? 1 : 0), std::nullopt));
    finish();
  } else if (!finished_) {
    abort();
  }
  held_ = false;
  --*held_count_;
  drop_body();
  if (session_ == nullptr) {
    ref();
    loop().defer_last([this] {
      report();
      unref();
    });
  }
  touch();
  unref();
}

// Answers for the serving side, or where none was asked.
void Http2Stream::answer_problem(HttpRefusal problem) {
  bool tell = held_ && !gone_;
  if (tell) {
    gone_ = true;
    told_gone_ = false;
  }
  broken_ = true;
  read_due_ = Time::max();
  drop_body();
  if (begun_) return reset(NGHTTP2_INTERNAL_ERROR);
  std::string_view reason = problem.reason;
  begun_ = finished_ = true;
  status_ = problem.status;
  head_at_ = Deadline::Clock::now();
  no_body_ = head_.method == "HEAD";
  response_.add("content-type", "text/plain");
  response_.add("date", listener_->date());
  if (problem.status == 503) response_.add("retry-after", "1");
  length_ = reason.size() + 1;
  if (!no_body_) {
    pending_.append(reason);
    pending_.append("\n");
  }
  touch();
}

void Http2Stream::submit() {
  submitted_ = true;
  if (no_body_) {
    if (!length_ && finished_ && dropped_ > 0) length_ = dropped_;
    if (status_ == 204) length_.reset();
  } else if (!length_ && finished_ && response_trailers_.empty()) {
    length_ = written_;
  }
  std::array<char, 4> status{};
  std::to_chars(status.data(), status.data() + status.size(), status_);
  std::array<char, 20> digits;
  thread_local std::vector<nghttp2_nv> pairs;
  pairs.clear();
  pairs.push_back(pair_of(":status", {status.data(), 3}));
  std::vector<Header> headers = response_.views();
  for (const Header& each : headers) pairs.push_back(pair_of(each.name, each.value));
  if (length_) {
    char* end = std::to_chars(digits.data(), digits.data() + digits.size(), *length_).ptr;
    pairs.push_back(
        pair_of("content-length", {digits.data(), static_cast<std::size_t>(end - digits.data())}));
  }
  nghttp2_data_provider body{.source = {.ptr = this}, .read_callback = read_body_part};
  bool empty = finished_ && buffered() == 0 && response_trailers_.empty();
  int problem = nghttp2_submit_response(session_->session_, stream_id_, pairs.data(), pairs.size(),
                                        no_body_ || empty ? nullptr : &body);
  if (problem != 0) reset(NGHTTP2_INTERNAL_ERROR);
}

void Http2Stream::flush() {
  if (session_ == nullptr || !begun_ || out_) return;
  if (!submitted_) {
    submit();
  } else if (deferred_ && (buffered() > 0 || finished_)) {
    deferred_ = false;
    nghttp2_session_resume_data(session_->session_, stream_id_);
  }
  if (write_due_ == Time::max() && (buffered() > 0 || finished_)) {
    write_due_ = loop().now() + listener_->limits().write_timeout;
    session_->note_due(write_due_);
  }
}

long Http2Stream::take(std::span<std::uint8_t> into, std::uint32_t& flags) {
  std::size_t count = std::min(into.size(), buffered());
  if (count > 0) std::memcpy(into.data(), pending_.data() + pending_pos_, count);
  pending_pos_ += count;
  if (buffered() == 0) {
    pending_.shrink(kWriteBuffer);
    pending_pos_ = 0;
  }
  if (count > 0) {
    write_due_ = buffered() == 0 ? Time::max() : loop().now() + listener_->limits().write_timeout;
    session_->note_due(write_due_);
  }
  if (write_wanted_) touch();
  if (buffered() == 0 && finished_) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!response_trailers_.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      std::vector<nghttp2_nv> pairs;
      std::vector<Header> trailers = response_trailers_.views();
      for (const Header& each : trailers) pairs.push_back(pair_of(each.name, each.value));
      nghttp2_submit_trailer(session_->session_, stream_id_, pairs.data(), pairs.size());
    }
  } else if (count == 0) {
    deferred_ = true;
    return -1;
  }
  return static_cast<long>(count);
}

void Http2Stream::sent_end() {
  out_ = true;
  write_due_ = Time::max();
  touch();
}

}  // namespace weft
