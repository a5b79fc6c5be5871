#include "provider/channel.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft::provider {

namespace asio = boost::asio;

// How many pieces one system call takes.
constexpr std::size_t kPiecesMax = 64;
// What the system holds of what was sent and not read.
constexpr int kSendBuffer = 1024 * 1024;

struct Channel::OnReadable {
  std::shared_ptr<Channel> self;
  using allocator_type = HandlerAllocator<char>;
  allocator_type get_allocator() const { return allocator_type(self->read_memory_); }
  void operator()(const boost::system::error_code& error) {
    Loop::Turn turn(self->loop_);
    if (!error) self->on_readable();
  }
};

struct Channel::OnWritable {
  std::shared_ptr<Channel> self;
  void operator()(const boost::system::error_code& error) {
    Loop::Turn turn(self->loop_);
    self->blocked_ = false;
    if (!error) self->flush();
  }
};

std::shared_ptr<Channel> Channel::open(Loop& loop, Fd socket, ChannelOwner& owner) {
  auto channel = std::make_shared<Channel>(loop, std::move(socket), owner);
  channel->wait_readable();
  return channel;
}

Channel::Channel(Loop& loop, Fd socket, ChannelOwner& owner)
    : loop_(loop), owner_(&owner), socket_(loop.context(), socket.release()), reader_(owner) {
  socket_.native_non_blocking(true);
  // As much as the system allows: both sides take turns less often.
  setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
}

void Channel::wait_readable() {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read, OnReadable{shared_from_this()});
}

void Channel::on_readable() {
  std::size_t total = 0;
  while (owner_ != nullptr && total < kReadMax) {
    std::array<iovec, 2> room = reader_.room();
    std::size_t most = room[0].iov_len + room[1].iov_len;
    ssize_t count = readv(socket_.native_handle(), room.data(), room.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count < 0) return fail(system_failure("reading", errno).error());
    if (count == 0) return fail(Error(Errc::kUnavailable, "the connection was closed"));
    total += static_cast<std::size_t>(count);
    if (Result<void> read = reader_.took(static_cast<std::size_t>(count)); !read) {
      return fail(std::move(read).error());
    }
    // Of a large body the next part is on its way. Otherwise nothing is asked for twice.
    if (static_cast<std::size_t>(count) < most && !reader_.in_body()) break;
  }
  if (owner_ != nullptr) wait_readable();
}

void Channel::fail(Error error) {
  ChannelOwner* owner = owner_;
  close();
  if (owner != nullptr) owner->broken(std::move(error));
}

void Channel::close() {
  if (owner_ == nullptr) return;
  owner_ = nullptr;
  reader_.stop();
  boost::system::error_code ignored;
  socket_.close(ignored);
  for (Source* source : sources_) source->active_ = false;
  sources_.clear();
  segments_.clear();
  segment_at_ = queued_ = 0;
}

void Channel::queue_own(std::size_t size) {
  queued_ += size;
  if (segments_.size() > segment_at_ && segments_.back().bytes == nullptr) {
    segments_.back().size += size;
  } else {
    segments_.push_back({nullptr, size, nullptr});
  }
  schedule();
}

void Channel::send(FrameHead head, BytesView body) {
  if (owner_ == nullptr) return;
  CHECK(body.size() <= kBodyMax);
  head.length = static_cast<std::uint32_t>(body.size());
  write_head(head, out_.reserve(kHeadSize));
  out_.advance(kHeadSize);
  out_.append(body);
  queue_own(kHeadSize + body.size());
}

void Channel::send_message(FrameHead head, BytesView body) {
  while (body.size() > kBodyMax) {
    head.more = true;
    send(head, body.first(kBodyMax));
    body = body.subspan(kBodyMax);
    head.number = 0;
    head.amount = 0;
  }
  head.more = false;
  send(head, body);
}

void Channel::send_in_place(FrameHead head, BytesView body, Source& source) {
  if (owner_ == nullptr) return;
  CHECK(body.size() <= kBodyMax);
  head.length = static_cast<std::uint32_t>(body.size());
  write_head(head, out_.reserve(kHeadSize));
  out_.advance(kHeadSize);
  queue_own(kHeadSize);
  segments_.push_back({body.data(), body.size(), &source});
  queued_ += body.size();
}

void Channel::activate(Source& source) {
  if (owner_ == nullptr || source.active_) return;
  source.active_ = true;
  sources_.push_back(&source);
  schedule();
}

void Channel::take_out(Source& source) {
  if (!std::exchange(source.active_, false)) return;
  std::erase(sources_, &source);
}

void Channel::forget(Source& source) {
  take_out(source);
  bool queued = std::any_of(segments_.begin() + static_cast<std::ptrdiff_t>(segment_at_),
                            segments_.end(), [&](const Segment& s) { return s.source == &source; });
  if (!queued) return;
  // Rare: everything that is queued is copied into one piece.
  Buffer flat;
  std::vector<std::pair<Source*, std::size_t>> copied;
  for (std::size_t i = segment_at_; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const std::uint8_t* bytes = segment.bytes;
    if (bytes == nullptr) {
      bytes = out_.data() + out_at_;
      out_at_ += segment.size;
    }
    flat.append({bytes, segment.size});
    if (segment.source == nullptr || segment.source == &source) continue;
    copied.emplace_back(segment.source, segment.size);
  }
  out_ = std::move(flat);
  out_at_ = 0;
  segments_.assign(1, {nullptr, out_.size(), nullptr});
  segment_at_ = 0;
  for (auto& [other, size] : copied) other->sent(size);
}

void Channel::schedule() {
  if (scheduled_ || blocked_ || flushing_) return;
  scheduled_ = true;
  loop_.defer_last([self = shared_from_this()] {
    self->scheduled_ = false;
    if (!self->blocked_) self->flush();
  });
}

// Asks the sources in turns until enough is queued.
void Channel::fill() {
  while (owner_ != nullptr && queued_ < kQueueLow && !sources_.empty()) {
    Source* source = sources_.front();
    sources_.erase(sources_.begin());
    source->active_ = false;
    Source::Next next = source->pull(*this);
    if (next != Source::Next::kMore || source->active_) continue;
    source->active_ = true;
    sources_.push_back(source);
  }
}

void Channel::flush() {
  flushing_ = true;
  while (owner_ != nullptr) {
    fill();
    if (queued_ == 0 || !write_some()) break;
  }
  flushing_ = false;
}

// False when the socket takes nothing more now.
bool Channel::write_some() {
  std::array<iovec, kPiecesMax> pieces;
  std::size_t count = 0;
  std::size_t out_at = out_at_;
  for (std::size_t i = segment_at_; i < segments_.size() && count < kPiecesMax; ++i) {
    const Segment& segment = segments_[i];
    const std::uint8_t* bytes = segment.bytes;
    if (bytes == nullptr) {
      bytes = out_.data() + out_at;
      out_at += segment.size;
    }
    if (segment.size == 0) continue;
    pieces[count++] = {const_cast<std::uint8_t*>(bytes), segment.size};
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  ssize_t sent = sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) {
    consume(static_cast<std::size_t>(sent));
    return true;
  }
  if (errno == EINTR) return true;
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    blocked_ = true;
    socket_.async_wait(asio::posix::stream_descriptor::wait_write, OnWritable{shared_from_this()});
    return false;
  }
  fail(errno == EPIPE || errno == ECONNRESET
           ? Error(Errc::kUnavailable, "the connection was closed")
           : system_failure("writing", errno).error());
  return false;
}

void Channel::consume(std::size_t count) {
  queued_ -= count;
  while (count > 0) {
    Segment& segment = segments_[segment_at_];
    std::size_t part = std::min(count, segment.size);
    count -= part;
    segment.size -= part;
    if (segment.bytes == nullptr) {
      out_at_ += part;
    } else {
      segment.bytes += part;
    }
    Source* source = segment.source;
    if (segment.size == 0) ++segment_at_;
    // It may queue more, or be over.
    if (source != nullptr) source->sent(part);
  }
  if (queued_ == 0) {
    segments_.clear();
    segment_at_ = 0;
    out_.shrink(kQueueLow);
    out_at_ = 0;
    return;
  }
  if (segment_at_ > kPiecesMax) {
    segments_.erase(segments_.begin(),
                    segments_.begin() + static_cast<std::ptrdiff_t>(segment_at_));
    segment_at_ = 0;
  }
  if (out_at_ > kQueueLow) {
    std::memmove(out_.data(), out_.data() + out_at_, out_.size() - out_at_);
    out_.resize_down(out_.size() - out_at_);
    out_at_ = 0;
  }
}

}  // namespace weft::provider
