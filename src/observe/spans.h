#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/trace_context.h"
#include "io/http/message.h"
#include "io/timer.h"
#include "observe/meters.h"

namespace weft {

// Spans of one loop that wait to be handed on; as many go on at once.
inline constexpr std::size_t kSpansMax = 512;
// How long one waits at most.
inline constexpr std::chrono::milliseconds kSpansDelay{1'000};

// One span, over: its context names itself as `span` and what it lies under as `parent`.
struct Span {
  enum class Kind : std::uint8_t { kInternal = 1, kServer = 2, kClient = 3 };
  // The keys are constants.
  using Attributes = std::vector<std::pair<std::string_view, std::string>>;

  TraceContext context = {};
  Kind kind = Kind::kInternal;
  std::string name = {};
  Deadline::Clock::time_point began = {};
  Deadline::Clock::time_point ended = {};
  std::string error = {};  // Empty: it went well.
  Attributes attributes = {};
};

// Makes the context of each request of a loop: the caller's, where it sent one, with a span of our
// own; otherwise a trace that begins here.
class Tracer {
 public:
  // Whether requests begin a trace where none was sent, which is exported. Without it those have
  // none, and nothing is added to what their guests send.
  enum class Sampling : std::uint8_t { kOff, kOn };

  explicit Tracer(Sampling sampling) : sampling_(sampling) {}

  TraceContext begin(const RequestHead& request);
  std::uint64_t next_span() { return ids_.next(); }

 private:
  TraceIds ids_;
  Sampling sampling_;
};

// The spans of one loop, gathered and handed on in batches. On its loop only, but for `dropped`.
class SpanQueue {
 public:
  // Takes a batch, or says no: then it is dropped. Never waits.
  using Ship = std::function<bool(std::vector<Span>&&)>;

  SpanQueue(Loop& loop, Ship ship);
  ~SpanQueue() { flush(); }

  void add(Span span);
  void flush();
  std::uint64_t dropped() const { return dropped_.get(); }

 private:
  Ship ship_;
  std::vector<Span> waiting_;
  Timer delay_;
  Counter dropped_;
};

}  // namespace weft
