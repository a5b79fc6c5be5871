#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/deadline.h"

struct nghttp2_session;

namespace weft {

class Http2Callbacks;
class Http2Stream;
class HttpListener;

// What a client may do so often: `max` at once, and `per_second` in the long run.
class Allowance {
 public:
  using Time = Deadline::Clock::time_point;
  Allowance(unsigned max, unsigned per_second) : max_(max), per_second_(per_second), left_(max) {}

  // False when it is used up.
  bool spend(Time now);
  void earn() { left_ = left_ + 1 > max_ ? max_ : left_ + 1; }

 private:
  double max_;
  double per_second_;
  double left_;
  Time at_{};
};

// One HTTP/2 connection without its socket: bytes go in, bytes come out, and each request between
// them is an exchange of the listener's handler.
//
// Owned by its connection, on the listener's loop. It calls `schedule` when settle has something to
// do. Streams that the serving side holds outlive it.
class Http2Session {
 public:
  using Time = Deadline::Clock::time_point;

  Http2Session(std::shared_ptr<HttpListener> listener, std::string peer,
               std::function<void()> schedule);
  Http2Session(const Http2Session&) = delete;
  ~Http2Session();

  // Takes what the client sent. New requests begin in it.
  void receive(BytesView bytes);
  // Once a turn, as it ends: what the streams wrote becomes frames in `out`, while that has less
  // than kWriteBuffer.
  void settle(Buffer& out);
  // Nothing is read or written any more, once `out` is gone.
  bool done() const;

  // Says GOAWAY: first without an end, so that requests on their way are served, and then for good.
  void drain();
  // The connection is gone, and so are all clients of its streams.
  void shut();

  // When on_time has to be called. It may be called for nothing.
  Time due() const { return due_; }
  void on_time(Time now);

  std::size_t streams() const { return streams_.size(); }

 private:
  friend class Http2Callbacks;
  friend class Http2Stream;

  // Ends the connection because of what the client does.
  void calm(std::string_view reason);
  void terminate(std::uint32_t error);
  void touch(Http2Stream& stream);
  void dispatch();
  void note_due(Time due) { due_ = due < due_ ? due : due_; }
  void opened(Http2Stream& stream);
  void closed(Http2Stream& stream);

  // Shared: see HttpListener.
  std::shared_ptr<HttpListener> listener_;
  std::shared_ptr<const std::string> peer_;  // Shared with the streams.
  std::function<void()> schedule_;
  nghttp2_session* session_ = nullptr;
  std::vector<Http2Stream*> streams_;  // Each knows its place.
  std::vector<Http2Stream*> touched_;  // Each is referred to; of these something is to be done.
  // Exchanges that the serving side holds. Shared with the streams, which may live longer.
  std::shared_ptr<std::size_t> held_;
  Allowance resets_;
  Allowance control_;
  std::size_t useful_ = 0;  // Body bytes that have earned nothing yet.
  bool greeted_ = false;    // The client's preface and SETTINGS came.
  bool ended_ = false;      // What comes is not read any more.
  bool failed_ = false;     // Nothing more can be made of it.
  bool draining_ = false;
  bool goaway_ = false;
  Time head_due_ = Time::max();
  Time idle_due_ = Time::max();
  Time drain_due_ = Time::max();
  Time due_ = Time::max();
};

}  // namespace weft
