#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::node::runs {

inline constexpr std::size_t kWordsMax = 1'000;
inline constexpr std::size_t kWordsBytesMax = 64 << 10;
// The field of a program's standard input.
inline constexpr std::uint16_t kInputField = 0xffff;

// What follows a request to run a program. The module's name is no word of it.
struct CommandLine {
  std::vector<std::string> words = {};
  Bytes input = {};

  friend bool operator==(const CommandLine&, const CommandLine&) = default;
};

Bytes command_line_bytes(const CommandLine& line);
// kInvalid: they are not what command_line_bytes writes, or more than may be.
Result<CommandLine> read_command_line(BytesView bytes);

}  // namespace weft::node::runs
