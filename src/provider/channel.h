#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/fd.h"
#include "io/handler_memory.h"
#include "provider/frame.h"

namespace weft {
class Loop;
}

namespace weft::provider {

class Channel;

// Something that has frames to send whenever there is room: a long message, a stream. Sources take
// turns, a frame each. Owned elsewhere; forgotten by its channel before it goes.
class Source {
 public:
  virtual ~Source() = default;

  enum class Next : std::uint8_t {
    kMore,  // there may be more: another turn
    kIdle,  // nothing now, until Channel::activate
    kDone,  // nothing ever
  };
  // Sends one frame at most. After kDone the channel does not touch it again.
  virtual Next pull(Channel& channel) = 0;
  // What was sent with send_in_place has left.
  virtual void sent(std::size_t bytes) {}

 private:
  friend class Channel;
  bool active_ = false;
};

// What a channel tells its owner, always from a handler of the loop.
class ChannelOwner : public FrameSink {
 public:
  // The connection has ended, or what came is no protocol. Once, and nothing after it.
  virtual void broken(Error error) = 0;
};

// A connected socket on a loop, as frames.
//
// What is sent in a batch of the loop's handlers leaves in one system call. Held by its owner and,
// shared, by the operations of asio that are under way. On its loop's thread.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  // Beyond this, what is queued is enough to keep the socket busy: sources wait.
  static constexpr std::size_t kQueueLow = 256 * 1024;
  // Beyond this the other side is not keeping up: new calls wait.
  static constexpr std::size_t kQueueHigh = 4 * 1024 * 1024;
  // What is read in one turn, so that one connection does not keep its loop.
  static constexpr std::size_t kReadMax = 1024 * 1024;

  static std::shared_ptr<Channel> open(Loop& loop, Fd socket, ChannelOwner& owner);
  Channel(Loop& loop, Fd socket, ChannelOwner& owner);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // A frame, copied. Its length is the body's.
  void send(FrameHead head, BytesView body = {});
  // A message that is cut where it is longer than a body may be, copied.
  void send_message(FrameHead head, BytesView body);
  // The same frame with a body that is not copied: it stays where it is until source.sent or
  // forget.
  void send_in_place(FrameHead head, BytesView body, Source& source);
  // `source` has something to send.
  void activate(Source& source);
  // It is going: what is queued of its memory is copied, and it is not asked again.
  void forget(Source& source);
  // A buffer that body_of returned is going.
  void forget(const Buffer& buffer) { reader_.forget(buffer); }

  bool congested() const { return queued_ > kQueueHigh; }
  // Ends it. Nothing is told to the owner any more, and what is queued does not leave.
  void close();

 private:
  struct Segment {
    const std::uint8_t* bytes;  // Null: the next bytes of out_.
    std::size_t size;
    Source* source;
  };
  struct OnReadable;
  struct OnWritable;

  void wait_readable();
  void on_readable();
  void queue_own(std::size_t size);
  void schedule();
  void flush();
  void fill();
  bool write_some();
  void consume(std::size_t count);
  void fail(Error error);
  void take_out(Source& source);

  Loop& loop_;
  ChannelOwner* owner_;  // Null once closed.
  boost::asio::posix::stream_descriptor socket_;
  FrameReader reader_;
  HandlerMemory read_memory_;
  Buffer out_;
  std::size_t out_at_ = 0;
  std::vector<Segment> segments_;
  std::size_t segment_at_ = 0;
  std::size_t queued_ = 0;
  std::vector<Source*> sources_;
  bool scheduled_ = false;
  bool blocked_ = false;
  bool flushing_ = false;
};

}  // namespace weft::provider
