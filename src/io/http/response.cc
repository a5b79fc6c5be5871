// The sending half of a connection: what the serving side says becomes framed bytes, at most one
// segment of them on the way at a time.

#include <boost/asio/socket_base.hpp>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/id.h"
#include "io/http/connection.h"
#include "io/http/listener.h"
#include "io/http/response_head.h"
#include "io/loop.h"

namespace weft {

struct Http1Connection::OnWritable {
  Http1Connection* self;
  using allocator_type = HandlerAllocator<char>;

  explicit OnWritable(Http1Connection* connection) : self(connection) { self->ref(); }
  OnWritable(OnWritable&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
  ~OnWritable() {
    if (self != nullptr) self->unref();
  }
  allocator_type get_allocator() const { return allocator_type(self->write_memory_); }
  void operator()(const boost::system::error_code&) {
    Loop::Turn turn(self->loop());
    self->writing_ = false;
    self->schedule();
  }
};

Result<void> Http1Connection::begin_response(int status, std::span<const Header> headers,
                                             std::optional<std::uint64_t> content_length) {
  CHECK(!begun_ || gone_);
  if (gone_) return {};
  std::size_t before = head_.size();
  TRY(ResponseFraming framing, append_response_head(head_, status, headers, listener_->date()));
  if (content_length && framing.content_length.value_or(*content_length) != *content_length) {
    head_.resize_down(before);
    return failure(Errc::kInvalid, "the Content-Length is not the length of the body");
  }
  begun_ = true;
  status_ = status;
  head_at_ = Deadline::Clock::now();
  length_ = content_length ? content_length : framing.content_length;
  if (framing.close) keep_alive_ = false;
  if (request().method == "HEAD" || status == 204 || status == 304) framing_ = Framing::kNoBody;
  schedule();
  return {};
}

bool Http1Connection::write(BytesView bytes) {
  if (gone_) return true;
  CHECK(begun_ && !finished_);
  if (framing_ == Framing::kNoBody) {
    dropped_ += bytes.size();
    return true;
  }
  written_ += bytes.size();
  if (length_ && written_ > *length_) {
    abort();
    return true;
  }
  pending_.append(bytes);
  schedule();
  if (buffered() < kWriteBuffer) return true;
  write_wanted_ = true;
  return false;
}

std::size_t Http1Connection::writable() {
  if (buffered() < kWriteBuffer) return kWriteBuffer - buffered();
  // Framing may fill the buffer after the last write: who asks and finds no room waits as well.
  write_wanted_ = true;
  return 0;
}

void Http1Connection::finish() {
  if (gone_) return;
  CHECK(begun_ && !finished_);
  if (framing_ != Framing::kNoBody && length_.value_or(written_) != written_) return abort();
  finished_ = true;
  schedule();
}

void Http1Connection::finish_with_trailers(std::span<const Header> trailers) {
  if (gone_) return;
  append_trailers(trailers_, trailers);
  finish();
}

void Http1Connection::abort() {
  if (gone_) return;
  broken_ = true;
  gone_ = true;
  reset_now();
  schedule();
}

void Http1Connection::release() {
  events_ = nullptr;
  if (!gone_ && !begun_) {
    std::string number = id_text(id);
    const Header header{"x-request-id", number};
    CHECK(begin_response(500, std::span(&header, id != 0 ? 1 : 0), std::nullopt));
    finish();
  } else if (!finished_) {
    abort();
  }
  held_ = false;
  schedule();
  unref();
}

// Answers a head that nobody is asked to serve.
void Http1Connection::refuse(HttpRefusal problem, const RequestHead& head) {
  if (HttpHandler* handler = listener_->handler()) {
    handler->on_refused(ExchangeSummary::refused(head, peer(), problem.status));
  }
  answer_problem(problem);
}

// Answers for the serving side, or where none was asked, and then closes.
void Http1Connection::answer_problem(HttpRefusal problem) {
  bool tell = held_ && !gone_;
  if (tell) gone_ = true;
  broken_ = true;
  if (phase_ == Phase::kExchange && begun_) {
    // Half a response is out, or about to be: only its breaking off tells the client.
    reset_now();
  } else {
    phase_ = Phase::kExchange;
    read_due_ = Time::max();
    keep_alive_ = false;
    linger_asked_ = true;
    status_ = problem.status;
    head_at_ = Deadline::Clock::now();
    std::string_view reason = problem.reason;
    Header headers[] = {{"content-type", "text/plain"}, {"retry-after", "1"}};
    std::size_t count = problem.status == 503 ? 2 : 1;
    CHECK(
        append_response_head(head_, problem.status, std::span(headers, count), listener_->date()));
    head_.append("content-length: ");
    append_number(head_, reason.size() + 1);
    head_.append("\r\nconnection: close\r\n\r\n");
    head_.append(reason);
    head_.append("\n");
    begun_ = finished_ = head_framed_ = true;
    framing_ = Framing::kNoBody;
  }
  if (tell && events_ != nullptr) events_->on_gone();
}

void Http1Connection::flush() {
  if (writing_) return;
  do {
    if (!segment_empty() && !send_segment()) return;
  } while (frame_next());
}

// Makes the next segment out of what was written. False: there is nothing.
bool Http1Connection::frame_next() {
  lead_.clear();
  sending_.clear();
  tail_.clear();
  sent_ = segment_size_ = 0;
  write_due_ = Time::max();
  if (begun_ && !head_framed_) decide_framing();
  std::swap(lead_, head_);
  if (head_framed_) {
    bool chunked = framing_ == Framing::kChunked;
    if (!pending_.empty()) {
      std::swap(sending_, pending_);
      if (chunked) {
        append_hex(lead_, sending_.size());
        lead_.append("\r\n");
        tail_.append("\r\n");
      }
    }
    if (finished_ && !framed_end_) {
      framed_end_ = true;
      if (chunked) tail_.append("0\r\n");
      if (chunked) tail_.append(trailers_.empty() ? std::string_view("\r\n") : trailers_.text());
    }
  }
  segment_size_ = lead_.size() + sending_.size() + tail_.size();
  return segment_size_ > 0;
}

// Ends the head with what says where the body ends: by now it is known whether it is whole.
void Http1Connection::decide_framing() {
  head_framed_ = true;
  bool old = request().version == HttpVersion::k10;
  if (listener_->draining() || continue_due_) keep_alive_ = false;
  if (read_ended_ && body_ended() && raw().empty()) keep_alive_ = false;
  if (framing_ == Framing::kNoBody) {
    if (!length_ && finished_ && dropped_ > 0) length_ = dropped_;
    if (status_ == 204) length_.reset();
  } else if (length_) {
    framing_ = Framing::kLength;
  } else if (finished_ && trailers_.empty()) {
    framing_ = Framing::kLength;
    length_ = written_;
  } else if (old) {
    framing_ = Framing::kUntilClose;
    keep_alive_ = false;
  } else {
    framing_ = Framing::kChunked;
    head_.append("transfer-encoding: chunked\r\n");
  }
  if (length_) {
    head_.append("content-length: ");
    append_number(head_, *length_);
    head_.append("\r\n");
  }
  if (!keep_alive_) {
    head_.append("connection: close\r\n\r\n");
  } else {
    head_.append(old ? "connection: keep-alive\r\n\r\n" : "\r\n");
  }
}

// False: the socket takes no more now, or is gone.
bool Http1Connection::send_segment() {
  while (!segment_empty()) {
    std::array<iovec, 3> pieces{};
    std::size_t count = 0;
    std::size_t skip = sent_;
    for (Buffer* each : {&lead_, &sending_, &tail_}) {
      std::size_t size = each->size();
      if (skip < size) pieces[count++] = {each->data() + skip, size - skip};
      skip -= std::min(skip, size);
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    ssize_t sent = tls_ == nullptr
                       ? ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT)
                       : tls_->send(std::span(pieces).first(count));
    if (sent >= 0) {
      sent_ += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      lost();
      return false;
    }
    writing_ = true;
    write_due_ = loop().now() + listener_->limits().write_timeout;
    socket_.async_wait(boost::asio::socket_base::wait_write, OnWritable(this));
    return false;
  }
  return true;
}

// The client is gone.
void Http1Connection::lost() {
  if (phase_ == Phase::kClosed) return;
  bool tell = held_ && !gone_;
  if (held_) gone_ = true;
  close_now();
  if (tell && events_ != nullptr) events_->on_gone();
  schedule();
}

// Closes so that the client can read the last response: closing a socket with unread bytes would
// throw away what the client has not read yet.
void Http1Connection::close_after_response() {
  bool clean = !linger_asked_ && body_ended() && raw().empty();
  if (tls_ != nullptr) tls_->close_notify();
  if (read_ended_ || clean) return close_now();
  ::shutdown(socket_.native_handle(), SHUT_WR);
  phase_ = Phase::kLinger;
  discarded_ = 0;
  read_due_ = loop().now() + kLinger;
}

void Http1Connection::close_now() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  timer_.disarm();
  boost::system::error_code ignored;
  socket_.close(ignored);
  listener_->closed(*this);
  pass_.reset();  // Last: whoever waits at the gate finds nothing left.
  unref();
}

void Http1Connection::reset_now() {
  if (phase_ == Phase::kClosed) return;
  linger hard{1, 0};
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close_now();
}

}  // namespace weft
