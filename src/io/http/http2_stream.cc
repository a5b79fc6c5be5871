#include "io/http/http2_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/http/listener.h"
#include "io/http/response_head.h"
#include "io/loop.h"

namespace weft {
namespace {

// What has been taken of a body stays in front of what has not, up to here.
constexpr std::size_t kTakenMax = kBodyBuffer / 2;
// What a field costs beside its text (RFC 9113, 6.5.2).
constexpr std::size_t kFieldCost = 32;

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

void FieldList::add(std::string_view name, std::string_view value) {
  auto at = static_cast<std::uint32_t>(text_.size());
  text_ += name;
  auto middle = static_cast<std::uint32_t>(text_.size());
  text_ += value;
  fields_.push_back({at, middle, static_cast<std::uint32_t>(text_.size())});
}

void FieldList::add_lower(std::string_view name, std::string_view value) {
  std::size_t at = text_.size();
  add(name, value);
  for (char& c : std::span(text_).subspan(at, name.size())) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
}

std::vector<Header> FieldList::views() const {
  std::vector<Header> views;
  views.reserve(fields_.size() + 1);
  std::string_view text = text_;
  for (const Field& each : fields_) {
    views.push_back({text.substr(each.name, each.value - each.name),
                     text.substr(each.value, each.end - each.value)});
  }
  return views;
}

Http2Stream::Http2Stream(Http2Session& session, std::int32_t id)
    : session_(&session),
      listener_(session.listener_),
      peer_(session.peer_),
      held_count_(session.held_),
      stream_id_(id) {
  head_.version = HttpVersion::k2;
}

void Http2Stream::unref() {
  if (--refs_ == 0) delete this;
}

Loop& Http2Stream::loop() {
  return listener_->loop();
}

void Http2Stream::touch() {
  if (session_ != nullptr) session_->touch(*this);
}

// The request.

bool Http2Stream::add_field(std::string_view name, std::string_view value) {
  const HttpLimits& limits = listener_->limits();
  std::size_t cost = name.size() + value.size() + kFieldCost;
  if (in_trailers_) {
    trailer_bytes_ += cost;
    if (trailer_bytes_ > limits.trailer_bytes_max) {
      problem_ = {431, "the trailers are too large"};
    } else {
      trailer_fields_.add(name, value);
    }
    return trailer_bytes_ <= limits.head_bytes_max * kHttp2HeadFactor;
  }
  head_bytes_ += cost;
  if (problem_) return head_bytes_ <= limits.head_bytes_max * kHttp2HeadFactor;
  if (head_bytes_ > limits.head_bytes_max) {
    problem_ = name == ":path" ? HttpProblem{414, "the request target is too long"}
                               : HttpProblem{431, "the head is too large"};
  } else if (fields_.size() >= limits.headers_max + 4) {  // Four are the request line.
    problem_ = {431, "too many headers"};
  } else {
    fields_.add(name, value);
  }
  return true;
}

void Http2Stream::bad_field() {
  if (!problem_) problem_ = {400, "a header is malformed"};
}

void Http2Stream::end_head(bool whole) {
  body_ended_ = whole;
  fresh_ = true;
  touch();
}

// Sorts the fields into a request's head. False: problem_ says why not.
bool Http2Stream::read_head() {
  std::string_view authority;
  for (const Header& field : fields_.views()) {
    if (field.name == ":method") {
      head_.method = field.value;
    } else if (field.name == ":path") {
      head_.target = head_.path = field.value;
    } else if (field.name == ":authority") {
      authority = field.value;
    } else if (!field.name.starts_with(':')) {
      headers_.push_back(field);
    }
  }
  auto bad = [&](int status, const char* reason) {
    problem_ = {status, reason};
    return false;
  };
  if (head_.method == "CONNECT") return bad(501, "CONNECT is not served");
  if (head_.method.empty() || head_.path.empty()) return bad(400, "the request line is malformed");
  bool whole_path = head_.path.front() == '/' || head_.path == "*";
  if (!whole_path || !is_target(head_.path)) return bad(400, "the target is malformed");
  std::size_t hosts = 0;
  for (const Header& field : headers_) {
    if (field.name == "host") {
      ++hosts;
      if (!authority.empty() && !same_name(authority, field.value)) {
        return bad(400, "the Host is not the authority");
      }
      head_.authority = field.value;
    } else if (field.name == "content-length") {
      std::uint64_t length = 0;
      const char* end = field.value.data() + field.value.size();
      if (std::from_chars(field.value.data(), end, length).ptr != end || field.value.empty()) {
        return bad(400, "the Content-Length is malformed");
      }
      head_.content_length = length;
    } else if (field.name == "expect") {
      if (!same_name(field.value, "100-continue")) {
        return bad(417, "only 100-continue can be expected");
      }
      continue_due_ = !body_ended_;
    }
  }
  if (hosts > 1) return bad(400, "more than one Host");
  if (!authority.empty()) head_.authority = authority;
  if (head_.authority.empty()) return bad(400, "the Host is missing");
  if (!is_authority(head_.authority)) return bad(400, "the Host is malformed");
  // Whoever serves looks for a Host, whatever the version.
  if (hosts == 0) headers_.insert(headers_.begin(), {"host", head_.authority});
  join_cookies();
  head_.headers = headers_;
  head_.chunked = !body_ended_ && !head_.content_length;
  return true;
}

// HTTP/2 may send a cookie in pieces, which nobody behind it knows to put together.
void Http2Stream::join_cookies() {
  auto is_cookie = [](const Header& field) { return field.name == "cookie"; };
  if (std::ranges::count_if(headers_, is_cookie) < 2) return;
  for (const Header& field : headers_) {
    if (!is_cookie(field)) continue;
    if (!cookies_.empty()) cookies_ += "; ";
    cookies_ += field.value;
  }
  auto first = std::ranges::find_if(headers_, is_cookie);
  first->value = cookies_;
  headers_.erase(std::remove_if(first + 1, headers_.end(), is_cookie), headers_.end());
}

void Http2Stream::start() {
  fresh_ = false;
  started_ = loop().now();
  HttpHandler* handler = listener_->handler();
  if (problem_ || !read_head()) {
    discard_ = true;
    return answer_problem(problem_);
  }
  if (head_.content_length.value_or(0) > listener_->limits().body_bytes_max) {
    discard_ = true;
    return answer_problem({413, "the body is larger than is taken here"});
  }
  if (handler == nullptr || *held_count_ >= kHttp2HeldMax) return reset(NGHTTP2_REFUSED_STREAM);
  held_ = true;
  ++*held_count_;
  reported_ = false;
  ref();
  handler->handle(Ptr(this));
}

void Http2Stream::add_data(BytesView bytes) {
  body_came_ += bytes.size();
  if (body_came_ > listener_->limits().body_bytes_max && !problem_) {
    problem_ = {413, "the body is larger than is taken here"};
  }
  if (discard_ || problem_) {
    nghttp2_session_consume(session_->session_, stream_id_, bytes.size());
    return touch();
  }
  // Room for all that the window lets come, so that views of the body stay where they are.
  if (body_.room() == 0) body_.reserve(kTakenMax + kBodyBuffer);
  body_.append(bytes);
  continue_due_ = false;
  touch();
}

void Http2Stream::end_body() {
  if (in_trailers_) trailers_ = trailer_fields_.views();
  body_ended_ = true;
  touch();
}

BytesView Http2Stream::body() {
  if (body_pos_ >= kTakenMax) {
    std::size_t left = unread();
    if (left > 0) std::memmove(body_.data(), body_.data() + body_pos_, left);
    body_.resize_down(left);
    body_pos_ = 0;
  }
  BytesView bytes = body_.view().subspan(body_pos_);
  if (bytes.empty() && !body_ended_ && !gone_ && !problem_ && !body_wanted_) {
    body_wanted_ = true;
    read_due_ = loop().now() + listener_->limits().body_timeout;
    if (session_ != nullptr) {
      session_->note_due(read_due_);
      if (std::exchange(continue_due_, false) && !begun_) {
        nghttp2_nv status = pair_of(":status", "100");
        nghttp2_submit_headers(session_->session_, NGHTTP2_FLAG_NONE, stream_id_, nullptr, &status,
                               1, nullptr);
      }
    }
    touch();
  }
  return bytes;
}

void Http2Stream::consume_body(std::size_t count) {
  CHECK(count <= unread());
  if (count == 0) return;
  body_pos_ += count;
  body_taken_ += count;
  if (unread() == 0) {
    body_.clear();
    body_pos_ = 0;
  }
  if (session_ == nullptr) return;
  nghttp2_session_consume(session_->session_, stream_id_, count);
  touch();
}

// Gives back the room of what nobody will read.
void Http2Stream::drop_body() {
  discard_ = true;
  if (session_ != nullptr && unread() > 0) {
    nghttp2_session_consume(session_->session_, stream_id_, unread());
  }
  body_ = Buffer();
  body_pos_ = 0;
}

BodyState Http2Stream::body_state() {
  if (unread() > 0) return BodyState::kMore;
  if (gone_ || problem_) return body_ended_ && !problem_ ? BodyState::kEnd : BodyState::kFailed;
  return body_ended_ ? BodyState::kEnd : BodyState::kMore;
}

// The response.

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

std::size_t Http2Stream::writable() const {
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
    CHECK(begin_response(500, {}, std::nullopt));
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
void Http2Stream::answer_problem(HttpProblem problem) {
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
  std::memcpy(into.data(), pending_.data() + pending_pos_, count);
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

// nghttp2 has let go of the stream. The session forgets it after this.
void Http2Stream::closed() {
  if (!out_ && !gone_) {
    gone_ = true;
    // Before its request was told of, nobody is to be told that it went.
    told_gone_ = !held_;
  }
  fresh_ = false;
  read_due_ = write_due_ = Time::max();
  touch();
  if (unread() > 0) nghttp2_session_consume_connection(session_->session_, unread());
  session_ = nullptr;
}

// The connection is gone.
void Http2Stream::lost() {
  if (!out_ && !gone_) {
    gone_ = true;
    told_gone_ = !held_;
  }
  fresh_ = false;
  session_ = nullptr;
}

// Everything that follows from what happened to it.
void Http2Stream::dispatch() {
  if (fresh_ && session_ != nullptr) start();
  if (problem_ && held_ && !gone_ && !broken_ && !out_) answer_problem(problem_);
  if (body_wanted_ && (unread() > 0 || body_ended_ || gone_)) {
    body_wanted_ = false;
    read_due_ = Time::max();
    if (events_ != nullptr && !gone_) events_->on_body_ready();
  }
  if (!std::exchange(told_gone_, true)) {
    if (events_ != nullptr) events_->on_gone();
  }
  if (write_wanted_ && held_ && !gone_ && buffered() <= kWriteBuffer / 2) {
    write_wanted_ = false;
    if (events_ != nullptr) events_->on_writable();
  }
  if (held_) return;
  report();
  // The response is whole: the client need not send the rest of its request.
  if (out_ && !body_ended_ && session_ != nullptr && !std::exchange(body_ended_, true)) {
    reset(NGHTTP2_NO_ERROR);
  }
}

void Http2Stream::report() {
  if (held_ || (session_ != nullptr && !out_) || std::exchange(reported_, true)) return;
  if (listener_->handler() == nullptr) return;
  HttpHandler* handler = completes_to != nullptr ? completes_to : listener_->handler();
  using End = ExchangeSummary::End;
  Time now = Deadline::Clock::now();
  handler->on_complete(
      {.request = head_,
       .peer = peer(),
       .id = id,
       .status = status_,
       .end = broken_ ? End::kBroken
              : out_  ? End::kWhole
                      : End::kGone,
       .bytes_in = body_taken_,
       .bytes_out = written_,
       .time_to_head = status_ == 0 ? Deadline::Clock::duration(0) : head_at_ - started_,
       .time = now - started_});
}

void Http2Stream::on_time(Time now) {
  if (write_due_ <= now) {
    // The client's window stays closed.
    write_due_ = Time::max();
    if (!gone_) {
      gone_ = true;
      told_gone_ = !held_;
    }
    reset(NGHTTP2_CANCEL);
  } else if (read_due_ <= now) {
    read_due_ = Time::max();
    problem_ = {408, "the body did not come in time"};
    touch();
  }
  if (session_ != nullptr) session_->note_due(std::min(read_due_, write_due_));
}

}  // namespace weft
