#include "io/http/http2_connection.h"

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "io/http/listener.h"
#include "io/loop.h"

namespace weft {

struct Http2Connection::OnReadable {
  Http2Connection* self;
  using allocator_type = HandlerAllocator<char>;

  explicit OnReadable(Http2Connection* connection) : self(connection) { self->ref(); }
  OnReadable(OnReadable&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
  ~OnReadable() {
    if (self != nullptr) self->unref();
  }
  allocator_type get_allocator() const { return allocator_type(self->read_memory_); }
  void operator()() { (*this)({}); }
  void operator()(const boost::system::error_code&) {
    Loop::Turn turn(self->listener_->loop());
    self->reading_ = false;
    self->on_readable();
  }
};

struct Http2Connection::OnWritable {
  Http2Connection* self;
  using allocator_type = HandlerAllocator<char>;

  explicit OnWritable(Http2Connection* connection) : self(connection) { self->ref(); }
  OnWritable(OnWritable&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
  ~OnWritable() {
    if (self != nullptr) self->unref();
  }
  allocator_type get_allocator() const { return allocator_type(self->write_memory_); }
  void operator()(const boost::system::error_code&) {
    Loop::Turn turn(self->listener_->loop());
    self->writing_ = false;
    self->schedule();
  }
};

void Http2Connection::start(std::shared_ptr<HttpListener> listener, HttpTransport transport,
                            BytesView first) {
  HttpListener& owner = *listener;
  auto* connection = new Http2Connection(std::move(listener), std::move(transport));
  owner.opened(*connection);
  if (owner.draining()) connection->session_->drain();
  if (!first.empty()) connection->session_->receive(first);
  connection->schedule();
}

Http2Connection::Http2Connection(std::shared_ptr<HttpListener> listener, HttpTransport transport)
    : HttpConnection(Admission::kServed),
      listener_(std::move(listener)),
      transport_(std::move(transport)),
      timer_(listener_->loop(), [this] { on_timer(); }),
      session_(std::make_unique<Http2Session>(listener_, peer_text(transport_.peer),
                                              [this] { schedule(); })) {}

void Http2Connection::unref() {
  if (--refs_ == 0) delete this;
}

void Http2Connection::schedule() {
  if (phase_ == Phase::kClosed || std::exchange(scheduled_, true)) return;
  ref();
  listener_->loop().defer_last([this] {
    scheduled_ = false;
    settle();
    unref();
  });
}

// Everything that follows from what happened in this turn.
void Http2Connection::settle() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kOpen) {
    // A socket that takes no more has its segment: what comes behind it waits in the streams.
    for (int i = 0; !writing_; ++i) {
      if (i == kSendsPerTurn) {
        schedule();
        break;
      }
      session_->settle(out_);
      if (out_.empty() || !send()) break;
    }
    if (phase_ == Phase::kOpen && out_.empty() && session_->done()) finish();
  }
  if (phase_ == Phase::kClosed) return;
  read_more();
  set_due();
}

void Http2Connection::read_more() {
  if (std::exchange(reading_, true)) return;
  if (transport_.tls != nullptr && transport_.tls->has_pending()) {
    boost::asio::post(transport_.socket.get_executor(), OnReadable(this));
  } else {
    transport_.socket.async_wait(boost::asio::socket_base::wait_read, OnReadable(this));
  }
}

void Http2Connection::on_readable() {
  std::array<std::uint8_t, kReadBytes> room;
  for (int i = 0; i < kReadsPerTurn && phase_ != Phase::kClosed; ++i) {
    ssize_t count = transport_.tls != nullptr ? transport_.tls->read(room.data(), room.size())
                                              : ::recv(transport_.socket.native_handle(),
                                                       room.data(), room.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count <= 0) return lost();
    auto size = static_cast<std::size_t>(count);
    if (phase_ == Phase::kOpen) {
      session_->receive({room.data(), size});
    } else {
      discarded_ += size;
      if (discarded_ > kDrainMax) return close_now();
    }
    if (size < room.size() && transport_.tls == nullptr) break;
  }
  schedule();
}

// False: the socket takes no more now, or is gone.
bool Http2Connection::send() {
  while (sent_ < out_.size()) {
    iovec piece{out_.data() + sent_, out_.size() - sent_};
    ssize_t sent = transport_.tls != nullptr
                       ? transport_.tls->send({&piece, 1})
                       : ::send(transport_.socket.native_handle(), piece.iov_base, piece.iov_len,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
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
    write_due_ = listener_->loop().now() + listener_->limits().write_timeout;
    transport_.socket.async_wait(boost::asio::socket_base::wait_write, OnWritable(this));
    return false;
  }
  out_.shrink(kOutKept);
  sent_ = 0;
  write_due_ = Time::max();
  return true;
}

// Closes so that the client can read the last frames: closing a socket with unread bytes would
// throw them away.
void Http2Connection::finish() {
  session_->shut();
  if (phase_ == Phase::kClosed) return;
  if (transport_.tls != nullptr) transport_.tls->close_notify();
  ::shutdown(transport_.socket.native_handle(), SHUT_WR);
  phase_ = Phase::kLinger;
  linger_due_ = listener_->loop().now() + kLinger;
}

// The client is gone.
void Http2Connection::lost() {
  if (phase_ == Phase::kClosed) return;
  ref();
  close_now();
  session_->shut();
  unref();
}

void Http2Connection::close_now() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  timer_.disarm();
  boost::system::error_code ignored;
  transport_.socket.close(ignored);
  listener_->closed(*this);
  transport_.pass.reset();  // Last: whoever waits at the gate finds nothing left.
  unref();
}

void Http2Connection::set_due() {
  Time due = std::min(write_due_, linger_due_);
  if (phase_ == Phase::kOpen) due = std::min(due, session_->due());
  if (due == Time::max()) return;  // The timer may fire for nothing once; that is cheaper.
  if (!timer_.armed() || timer_.deadline().when() > due) timer_.arm(Deadline::at(due));
}

void Http2Connection::on_timer() {
  ref();
  Time now = Deadline::Clock::now();
  if (phase_ == Phase::kClosed) {
  } else if (write_due_ <= now) {
    lost();
  } else if (linger_due_ <= now) {
    close_now();
  } else if (phase_ == Phase::kOpen) {
    if (session_->due() <= now) session_->on_time(now);
    schedule();
  }
  unref();
}

void Http2Connection::drain() {
  if (phase_ == Phase::kOpen) session_->drain();
}

void Http2Connection::shut() {
  lost();
}

}  // namespace weft
