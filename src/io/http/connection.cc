#include "io/http/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/http/http2_connection.h"
#include "io/http/listener.h"
#include "io/loop.h"

namespace weft {

struct Http1Connection::OnRead {
  Http1Connection* self;
  using allocator_type = HandlerAllocator<char>;

  explicit OnRead(Http1Connection* connection) : self(connection) { self->ref(); }
  OnRead(OnRead&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
  ~OnRead() {
    if (self != nullptr) self->unref();
  }
  allocator_type get_allocator() const { return allocator_type(self->read_memory_); }
  void operator()(const boost::system::error_code& error, std::size_t count) {
    Loop::Turn turn(self->loop());
    if (!error) return self->on_read(count);
    self->on_read_end(error == boost::asio::error::eof ? ReadEnd::kHalf : ReadEnd::kLost);
  }
};

// The socket is closed on both sides, or has failed.
struct Http1Connection::OnHangup {
  OnRead read;
  void operator()(const boost::system::error_code&) {
    Http1Connection* self = read.self;
    Loop::Turn turn(self->loop());
    self->on_hangup();
  }
};

// With TLS: the socket has something, and what it means is in the session.
struct Http1Connection::OnReadable {
  OnRead read;
  using allocator_type = OnRead::allocator_type;
  allocator_type get_allocator() const { return read.get_allocator(); }
  void operator()() { (*this)({}); }
  void operator()(const boost::system::error_code& error) {
    Http1Connection* self = read.self;
    Loop::Turn turn(self->loop());
    if (error) return self->on_read_end(ReadEnd::kLost);
    self->read_tls();
  }
};

void Http1Connection::start(std::shared_ptr<HttpListener> listener, HttpTransport transport,
                            Admission admission) {
  HttpListener& owner = *listener;
  auto* connection = new Http1Connection(std::move(listener), std::move(transport), admission);
  owner.opened(*connection);
  if (admission == Admission::kRefused) {
    connection->refuse({503, "too many connections: try again later"});
  }
  if (owner.draining()) connection->drain();
  connection->schedule();
}

Http1Connection::Http1Connection(std::shared_ptr<HttpListener> listener, HttpTransport transport,
                                 Admission admission)
    : HttpConnection(admission),
      listener_(std::move(listener)),
      pass_(std::move(transport.pass)),
      socket_(std::move(transport.socket)),
      tls_(std::move(transport.tls)),
      timer_(listener_->loop(), [this] { on_timer(); }),
      peer_(transport.peer),
      parser_({listener_->limits().head_bytes_max, listener_->limits().headers_max}) {
  read_due_ = listener_->loop().now() + listener_->limits().idle_timeout;
}

Http1Connection::~Http1Connection() {
  if (body_in_.room() > 0) listener_->give_buffer(std::move(body_in_));
}

void Http1Connection::unref() {
  if (--refs_ == 0) delete this;
}

Loop& Http1Connection::loop() {
  return listener_->loop();
}

void Http1Connection::schedule() {
  if (std::exchange(scheduled_, true)) return;
  ref();
  loop().defer_last([this] {
    scheduled_ = false;
    settle();
    unref();
  });
}

// Everything that follows from what happened in this turn.
void Http1Connection::settle() {
  if (phase_ == Phase::kExchange && body_problem_ && !broken_) answer_problem(body_problem_);
  if (phase_ != Phase::kClosed) flush();
  if (phase_ == Phase::kExchange && response_out()) {
    if (linger_asked_) {
      close_after_response();
    } else if (!held_) {
      end_exchange();
    }
  }
  if ((phase_ == Phase::kLinger || phase_ == Phase::kClosed) && !held_) report();
  if (phase_ != Phase::kClosed) {
    read_more();
    set_due();
  }
  if (write_wanted_ && held_ && !gone_ && buffered() <= kWriteBuffer / 2) {
    write_wanted_ = false;
    if (events_ != nullptr) events_->on_writable();
  }
}

// Keeps one read under way wherever there is room: it brings the next bytes, and the news that the
// client is gone.
void Http1Connection::read_more() {
  if (reading_ || read_ended_) return;
  switch (phase_) {
    case Phase::kHead:
      in_.reserve(in_.size() < kHeadRoom ? kHeadRoom - in_.size() : kHeadRoom);
      break;
    case Phase::kExchange:
      if (!linger_asked_ && raw().empty() && !body_ended()) read_into_body_room();
      break;
    case Phase::kDiscard:
    case Phase::kLinger:
      raw_->resize_down(raw_pos_);
      if (raw_->room() == raw_->size()) read_into_body_room();
      break;
    case Phase::kClosed: return;
  }
  std::size_t room = raw_->room() - raw_->size();
  if (room == 0) return;
  reading_ = true;
  if (tls_ != nullptr) {
    if (tls_->has_pending()) {
      boost::asio::post(socket_.get_executor(), OnReadable{OnRead(this)});
    } else {
      socket_.async_wait(boost::asio::socket_base::wait_read, OnReadable{OnRead(this)});
    }
    return;
  }
  socket_.async_read_some(boost::asio::buffer(raw_->data() + raw_->size(), room), OnRead(this));
}

// Reads what the session has now; half a record is nothing yet.
void Http1Connection::read_tls() {
  if (phase_ == Phase::kClosed) return on_read_end(ReadEnd::kLost);
  ssize_t count = tls_->read(raw_->data() + raw_->size(), raw_->room() - raw_->size());
  if (count > 0) return on_read(static_cast<std::size_t>(count));
  // Whoever ends a TLS session takes nothing more of it.
  if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return on_read_end(ReadEnd::kLost);
  // A read that was called back has no answer of its own to wait for.
  if (rewinding_) return on_read_end(ReadEnd::kLost);
  socket_.async_wait(boost::asio::socket_base::wait_read, OnReadable{OnRead(this)});
}

// Whether the client began with HTTP/2's preface, and its protocol goes on elsewhere.
bool Http1Connection::hand_to_http2() {
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\n";
  if (served_ || tls_ != nullptr || refused() || !as_text(raw()).starts_with(kPreface)) {
    return false;
  }
  HttpTransport transport{std::move(socket_), nullptr, peer_, std::move(pass_)};
  pass_.reset();
  std::shared_ptr<HttpListener> listener = listener_;
  Buffer first;
  first.append(raw());
  close_now();
  Http2Connection::start(std::move(listener), std::move(transport), first.view());
  return true;
}

// The head stays where it is; everything behind it was taken.
void Http1Connection::read_into_body_room() {
  if (raw_ == &in_) {
    body_in_ = listener_->take_buffer();
    raw_ = &body_in_;
  }
  raw_->clear();
  raw_pos_ = 0;
}

void Http1Connection::on_read(std::size_t count) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  rewinding_ = false;
  raw_->advance(count);
  switch (phase_) {
    case Phase::kHead:
      rewind();
      parse();
      break;
    case Phase::kExchange: tell_body(); break;
    case Phase::kDiscard: discard(); break;
    case Phase::kLinger:
      discarded_ += count;
      if (discarded_ > kDrainMax) close_now();
      break;
    case Phase::kClosed: break;
  }
  schedule();
}

void Http1Connection::on_read_end(ReadEnd end) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (std::exchange(rewinding_, false)) {
    // The read was called back by next_request, which has more to parse. If there was another end
    // than that, the next read finds it again.
    rewind();
    parse();
    return schedule();
  }
  read_ended_ = true;
  if (phase_ != Phase::kExchange) return close_now();
  if (end == ReadEnd::kHalf) return on_half_closed();
  // It may have left because it has what it wanted; if it has not, writing the rest will fail.
  if (!finished_ || broken_) return lost();
  keep_alive_ = false;
  schedule();
}

// The client has said all that it wants to say: what it asked for, also what it sent ahead, is
// still answered. Whether it is there to take that shows when something is written, at once or when
// its reset comes back.
void Http1Connection::on_half_closed() {
  socket_.async_wait(boost::asio::socket_base::wait_error, OnHangup{OnRead(this)});
  if (body_wanted_ && !body_ended()) body_cut();
  schedule();
}

void Http1Connection::on_hangup() {
  if (phase_ == Phase::kClosed) return;
  pollfd ask{socket_.native_handle(), 0, 0};
  if (::poll(&ask, 1, 0) > 0 && (ask.revents & (POLLERR | POLLHUP)) != 0) lost();
}

// No more of the body comes, and it is not whole.
void Http1Connection::body_cut() {
  read_due_ = Time::max();
  body_problem_ = {400, "the body ends before its end"};
  schedule();
}

void Http1Connection::tell_body() {
  if (!raw().empty()) continue_due_ = false;
  if (!body_wanted_) return;
  advance_body();
  if (raw().empty() && !body_ended()) return;
  body_wanted_ = false;
  read_due_ = Time::max();
  if (events_ != nullptr && !body_problem_) events_->on_body_ready();
}

// Moves what is not parsed yet to the front of in_. Only while no read is under way.
void Http1Connection::rewind() {
  if (raw_ == &body_in_) {
    in_.clear();
    in_.append(raw());
    raw_ = &in_;
    listener_->give_buffer(std::exchange(body_in_, Buffer()));
  } else if (raw_pos_ > 0) {
    std::size_t size = raw().size();
    if (size > 0) std::memmove(in_.data(), in_.data() + raw_pos_, size);
    in_.resize_down(size);
  }
  raw_pos_ = 0;
}

void Http1Connection::parse() {
  auto window =
      std::span<char>(reinterpret_cast<char*>(raw_->data()) + raw_pos_, raw_->size() - raw_pos_);
  bool fresh = !parser_.begun();
  switch (parser_.parse(window)) {
    case HeadParser::State::kMore:
      if (read_ended_) return close_now();
      if (fresh && parser_.begun()) read_due_ = loop().now() + listener_->limits().head_timeout;
      return;
    case HeadParser::State::kBad:
      if (parser_.problem().status == 505 && hand_to_http2()) return;
      return refuse(parser_.problem());
    case HeadParser::State::kDone: return begin_exchange();
  }
}

void Http1Connection::begin_exchange() {
  const RequestHead& head = parser_.head();
  const HttpLimits& limits = listener_->limits();
  if (head.content_length.value_or(0) > limits.body_bytes_max) {
    return refuse({413, "the body is larger than is taken here"}, head);
  }
  phase_ = Phase::kExchange;
  served_ = true;
  read_due_ = Time::max();
  started_ = loop().now();
  raw_pos_ += parser_.size();
  keep_alive_ = parser_.keep_alive();
  if (head.chunked) chunks_.reset(limits.trailer_bytes_max);
  body_left_ = head.chunked ? 1 : head.content_length.value_or(0);
  continue_due_ = parser_.expects_continue() && head.has_body() && raw().empty() &&
                  head.version == HttpVersion::k11;
  HttpHandler* handler = listener_->handler();
  if (handler == nullptr) return close_now();
  held_ = true;
  reported_ = false;
  ref();
  handler->handle(Ptr(this));
}

// Gives the summary, once both sides are done.
void Http1Connection::report() {
  if (std::exchange(reported_, true)) return;
  if (listener_->handler() == nullptr) return;
  ExchangeObserver* handler = completes_to != nullptr ? completes_to : listener_->handler();
  using End = ExchangeSummary::End;
  End end = broken_ ? End::kBroken : response_out() ? End::kWhole : End::kGone;
  Time now = Deadline::Clock::now();
  handler->on_complete(
      {.request = parser_.head(),
       .peer = peer(),
       .id = id,
       .status = status_,
       .end = end,
       .bytes_in = body_bytes_,
       .bytes_out = written_,
       .time_to_head = status_ == 0 ? Deadline::Clock::duration(0) : head_at_ - started_,
       .time = now - started_,
       .watch = &watch});
}

void Http1Connection::end_exchange() {
  report();
  if (!keep_alive_) return close_after_response();
  advance_body();
  if (body_ended()) return next_request();
  if (body_problem_) return close_after_response();
  phase_ = Phase::kDiscard;
  discarded_ = 0;
  body_wanted_ = false;
  read_due_ = loop().now() + listener_->limits().body_timeout;
  discard();
}

void Http1Connection::discard() {
  for (;;) {
    if (!advance_body()) return close_after_response();
    if (body_ended()) return next_request();
    BytesView bytes = body();
    if (bytes.empty() && read_ended_) return close_after_response();
    if (bytes.empty()) return;
    discarded_ += bytes.size();
    if (discarded_ > kDrainMax) return close_after_response();
    consume_body(bytes.size());
  }
}

// Back to the first state, with what the client has sent ahead.
void Http1Connection::next_request() {
  phase_ = Phase::kHead;
  parser_.reset();
  body_left_ = body_bytes_ = written_ = dropped_ = 0;
  body_problem_ = HttpRefusal();
  body_wanted_ = continue_due_ = false;
  status_ = 0;
  framing_ = Framing::kUndecided;
  length_.reset();
  begun_ = finished_ = head_framed_ = framed_end_ = write_wanted_ = false;
  pending_.shrink(kHeadKept);
  sending_.shrink(kHeadKept);
  trailers_.clear();
  id = 0;
  completes_to = nullptr;
  Time now = loop().now();
  read_due_ = now + listener_->limits().idle_timeout;
  if (listener_->draining()) read_due_ = std::min(read_due_, now + kDrainIdle);

  if (reading_) {
    // The read goes on where it is, unless the next request has begun to come before it.
    if (raw().empty()) return;
    rewinding_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
    return;
  }
  rewind();
  if (in_.empty() && read_ended_) return close_after_response();
  if (in_.empty()) {
    if (in_.room() > kHeadKept) in_ = Buffer();
    return;
  }
  // Behind what waits on this loop: one client's pipeline does not hold up the others.
  ref();
  loop().post([this] {
    if (phase_ == Phase::kHead && !rewinding_ && !raw().empty()) {
      parse();
      schedule();
    }
    unref();
  });
}

bool Http1Connection::advance_body() {
  if (!parser_.head().chunked) return true;
  while (chunks_.data_left() == 0 && !chunks_.done() && !chunks_.problem() && !raw().empty()) {
    raw_pos_ += chunks_.skip(raw());
  }
  if (chunks_.problem()) body_problem_ = chunks_.problem();
  if (chunks_.data_left() > listener_->limits().body_bytes_max - body_bytes_) {
    body_problem_ = {413, "the body is larger than is taken here"};
  }
  if (chunks_.done()) body_left_ = 0;
  if (!body_problem_) return true;
  schedule();
  return false;
}

BytesView Http1Connection::body() {
  if (!advance_body()) return {};
  std::uint64_t left = parser_.head().chunked ? chunks_.data_left() : body_left_;
  BytesView bytes = raw();
  bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size())));
  if (bytes.empty() && !body_ended() && phase_ == Phase::kExchange && !body_wanted_) {
    body_wanted_ = true;
    if (read_ended_) {
      body_cut();
      return bytes;
    }
    read_due_ = loop().now() + listener_->limits().body_timeout;
    if (continue_due_ && !begun_) {
      continue_due_ = false;
      head_.append("HTTP/1.1 100 Continue\r\n\r\n");
    }
    schedule();
  }
  return bytes;
}

void Http1Connection::consume_body(std::size_t count) {
  bool chunked = parser_.head().chunked;
  CHECK(count <= raw().size() && count <= (chunked ? chunks_.data_left() : body_left_));
  if (count == 0) return;
  raw_pos_ += count;
  body_bytes_ += count;
  if (chunked) {
    chunks_.took(count);
    advance_body();
  } else {
    body_left_ -= count;
  }
  // The room that was taken is read into again.
  if (raw().empty()) schedule();
}

BodyState Http1Connection::body_state() {
  if (body_ended()) return BodyState::kEnd;
  return gone_ || body_problem_ ? BodyState::kFailed : BodyState::kMore;
}

std::span<const Header> Http1Connection::request_trailers() const {
  return parser_.head().chunked && chunks_.done() ? chunks_.trailers() : std::span<const Header>();
}

std::string_view Http1Connection::peer() {
  if (peer_text_.empty()) peer_text_ = peer_text(peer_);
  return peer_text_;
}

std::string Http1Connection::local() {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(socket_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return HttpExchange::local();
  }
  return peer_text(address);
}

void Http1Connection::set_due() {
  Time due = std::min(read_due_, write_due_);
  if (due == Time::max()) return;  // The timer may fire for nothing once; that is cheaper.
  if (!timer_.armed() || timer_.deadline().when() > due) timer_.arm(Deadline::at(due));
}

void Http1Connection::on_timer() {
  ref();
  Time now = Deadline::Clock::now();
  if (phase_ == Phase::kClosed) {
  } else if (write_due_ <= now) {
    lost();
  } else if (read_due_ <= now) {
    read_due_ = Time::max();
    if (phase_ == Phase::kExchange) {
      body_problem_ = {408, "the body did not come in time"};
    } else if (phase_ == Phase::kHead && parser_.begun()) {
      refuse({408, "the head did not come in time"});
    } else {
      close_now();
    }
  }
  schedule();
  unref();
}

void Http1Connection::drain() {
  if (phase_ != Phase::kHead || parser_.begun()) return;
  read_due_ = std::min(read_due_, loop().now() + kDrainIdle);
  set_due();
}

void Http1Connection::shut() {
  ref();
  lost();
  unref();
}

}  // namespace weft
