#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "values/type.h"

namespace weft {

inline constexpr std::int64_t kRecordingVersion = 1;
// Of a file, which is read whole: whatever was recorded can be replayed.
inline constexpr std::size_t kRecordingBytesMax = std::size_t{256} << 20;
// Of a call's arguments, and of its result, encoded.
inline constexpr std::size_t kRecordedValueMax = std::size_t{256} << 10;
inline constexpr std::size_t kRecordedFunctionsMax = 10'000;

// An imported function whose calls are in the file.
struct RecordedFunction {
  std::string interface;  // As the component imports it, with its version.
  std::string name;
  std::string signature;
  std::string by;  // What served it: "provider ml".
  // Of the signature.
  Signature type = {};
  bool plain = true;  // Its calls mean the same in another run.

  // Fails for text that is no signature.
  static Result<RecordedFunction> make(std::string interface, std::string name,
                                       std::string signature, std::string by);
  // "acme:ml/inference@1.0.0#infer" and what is behind it.
  std::string call_text(std::string_view arguments) const;
};

struct RecordedCall {
  std::size_t function = 0;  // Of the recording.
  std::string app = {};
  std::string component = {};
  // As they stand in the file; for people. What is not recorded says its size.
  std::string arguments_text = {};
  std::string result_text = {};
  // Given: this call can be replayed.
  struct Bodies {
    Bytes arguments;
    Bytes reply;  // Nothing where it failed.
  };
  std::optional<Bodies> bodies = {};
  std::optional<Error> error = {};
  std::chrono::microseconds time{};
};

// What a file of `weft record` holds.
struct Recording {
  std::vector<RecordedFunction> functions;
  std::vector<RecordedCall> calls;
  std::uint64_t lost = 0;
  bool complete = false;  // The host got to its end.

  // The text may be anything: the error names the line. A last line that was cut short is left out.
  static Result<Recording> parse(std::string_view text);
  static Result<Recording> read(const std::string& file);

  // A line a call, for people.
  std::string text() const;
};

}  // namespace weft
