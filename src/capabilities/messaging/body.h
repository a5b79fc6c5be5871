#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "door/stream.h"

namespace weft::messaging {

// A message's data on its way to a guest that reads them as a stream: what does not fit into the
// pipe waits here.
//
// Whoever holds it decides how long that may be read: dropped before its end, it fails the stream,
// so that nobody takes half for the whole. On the loop.
class Body : public std::enable_shared_from_this<Body> {
 public:
  using Made = std::pair<Stream<std::uint8_t>, std::shared_ptr<Body>>;

  // The end for the guest, and the rest: null where all of it is in the pipe already.
  static Made make(Loop& loop, Bytes data);
  ~Body();
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  // Nothing is left: all of it is in the pipe, or nobody reads any more.
  bool over() const { return !writer_; }

 private:
  Body(Loop& loop, Bytes data, PipeWriter writer)
      : loop_(loop), data_(std::move(data)), writer_(std::move(writer)) {}

  void go_on();

  Loop& loop_;
  Bytes data_;
  std::size_t written_ = 0;
  PipeWriter writer_;
};

// Bodies that guests may still read, although no call waits for that. Bounded: each may have a
// whole message behind it.
class UnreadBodies {
 public:
  static constexpr std::size_t kMost = 64;

  // Those that are over do not count.
  bool full();
  // Null is none. Not where it is full.
  void keep(std::shared_ptr<Body> body);

 private:
  std::vector<std::shared_ptr<Body>> bodies_;
};

}  // namespace weft::messaging
