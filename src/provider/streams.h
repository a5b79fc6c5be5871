#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/error.h"
#include "door/pipe.h"
#include "provider/channel.h"

namespace weft {
class Loop;
}

namespace weft::provider {

// The streams of one connection: each a pipe of this side, with the other end across the socket.
//
// Holds at most kStreamWindow of a stream beside what is in its pipe, or the one item that is
// arriving. Owned by the connection, on its loop, and goes with it: readers of this side then fail,
// and writers find that nobody reads.
class Streams {
 public:
  // Which numbers this side gives.
  enum class Side : std::uint8_t { kHost = 1, kProvider = 2 };

  Streams(Loop& loop, Side side);
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams();

  // Where it sends to from now on. The channel outlives the streams, or `fail` comes first.
  void open(Channel& channel) { channel_ = &channel; }

  // Hands an end of a pipe to the other side, under the number that is returned.
  Result<std::uint32_t> give(PipeTable::End end);
  // Takes over the end that the other side has given under a number.
  Result<PipeReader> take_reader(std::uint32_t id, PipeKind kind);
  Result<PipeWriter> take_writer(std::uint32_t id, PipeKind kind);
  // The call that a stream was given with has failed: ends it, unless the other side has said
  // something on it.
  void settle(std::uint32_t id);

  // Frames of the kinds kData, kCredit, kEnd and kClose. A failure is the other side's breach of
  // the protocol. Those of streams that are over are passed by.
  Result<void> frame(const FrameHead& head, BytesView body);
  // Ends all of them.
  void fail(const Error& error);
  std::size_t open_count() const { return senders_.size() + receivers_.size(); }

 private:
  class Sender;
  class Receiver;

  Result<void> admit(std::uint32_t id) const;
  void add_sender(std::uint32_t id, PipeReader reader, std::uint64_t credit, bool allowed);
  void add_receiver(std::uint32_t id, PipeWriter writer, bool taken);

  Loop& loop_;
  const Side side_;
  Channel* channel_ = nullptr;
  std::uint32_t next_;
  // By number. A stream is in one of them: it has one direction.
  std::unordered_map<std::uint32_t, std::shared_ptr<Sender>> senders_;
  std::unordered_map<std::uint32_t, std::shared_ptr<Receiver>> receivers_;
};

}  // namespace weft::provider
