#include "io/http/http2_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/http/listener.h"
#include "io/loop.h"

namespace weft {
namespace {

// What has been taken of a body stays in front of what has not, up to here.
constexpr std::size_t kTakenMax = kBodyBuffer / 2;
// What a field costs beside its text (RFC 9113, 6.5.2).
constexpr std::size_t kFieldCost = 32;

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

bool Http2Stream::secure() const {
  return listener_->secure();
}

void Http2Stream::touch() {
  if (session_ != nullptr) session_->touch(*this);
}

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
    problem_ = name == ":path" ? HttpRefusal{414, "the request target is too long"}
                               : HttpRefusal{431, "the head is too large"};
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

// Answers a request that nobody is asked to serve.
void Http2Stream::refuse(HttpRefusal problem) {
  discard_ = true;
  if (HttpHandler* handler = listener_->handler()) {
    RequestHead unread;
    unread.version = HttpVersion::k2;
    const RequestHead& known = problem_ ? unread : head_;
    handler->on_refused(ExchangeSummary::refused(known, peer(), problem.status));
  }
  answer_problem(problem);
}

void Http2Stream::start() {
  fresh_ = false;
  started_ = loop().now();
  HttpHandler* handler = listener_->handler();
  if (problem_ || !read_head()) return refuse(problem_);
  if (head_.content_length.value_or(0) > listener_->limits().body_bytes_max) {
    return refuse({413, "the body is larger than is taken here"});
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
      if (std::exchange(continue_due_, false) && !begun_) ask_for_body();
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
  ExchangeObserver* handler = completes_to != nullptr ? completes_to : listener_->handler();
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
       .time = now - started_,
       .watch = &watch});
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
