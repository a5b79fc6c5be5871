#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

// Where a request stands in a trace, as W3C's Trace Context has it: the trace, the span that is the
// request's own, and the caller's span that it belongs under. A value.
struct TraceContext {
  static constexpr std::uint8_t kSampled = 1;

  std::uint64_t trace_high = 0;
  std::uint64_t trace_low = 0;
  std::uint64_t parent = 0;  // 0: nobody sent one.
  std::uint64_t span = 0;
  std::uint8_t flags = 0;

  bool known() const { return (trace_high | trace_low) != 0; }
  bool sampled() const { return (flags & kSampled) != 0; }
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// The value of a `traceparent` header: trace, flags, and the sender's span as `parent`. Nothing for
// what is malformed, or all zero. A version after 00 may have more at its end, which is not looked
// at.
std::optional<TraceContext> parse_traceparent(std::string_view text);

// What is sent on: a header's value with `span` as the sender's. 55 characters.
std::string traceparent_text(const TraceContext& context);

// 32 hexadecimal digits.
std::string trace_id_text(const TraceContext& context);

// Random numbers for traces and spans, never 0. Fast and not for secrets; one thread each.
class TraceIds {
 public:
  TraceIds();
  explicit TraceIds(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    for (;;) {
      state_ += 0x9e3779b97f4a7c15;
      std::uint64_t mixed = state_;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      mixed ^= mixed >> 31;
      if (mixed != 0) return mixed;
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace weft
