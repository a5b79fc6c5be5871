#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "record/recording.h"

namespace weft {

// One side of a call as it was seen: all of its bytes, or none where they were too many.
struct TakenValue {
  Bytes bytes = {};
  std::size_t size = 0;
  bool hidden = false;  // It may be secret, and is not looked at.

  static TakenValue of(BytesView value) {
    if (value.size() > kRecordedValueMax) return {.size = value.size()};
    return {{value.begin(), value.end()}, value.size()};
  }
  bool whole() const { return !hidden && bytes.size() == size; }
};

// A call as it was seen.
struct TakenCall {
  std::string app;
  std::string component;
  TakenValue arguments = {};
  TakenValue reply = {};
  std::optional<Error> error = {};
  std::chrono::nanoseconds time{};

  // What it takes up while it waits.
  std::size_t room() const;
};

// The lines of a recording, each with its end.
std::string recording_head();
std::string function_line(std::size_t number, const RecordedFunction& function);
std::string call_line(std::size_t number, const RecordedFunction& function, const TakenCall& call);
std::string recording_end(std::uint64_t calls, std::uint64_t lost);

}  // namespace weft
