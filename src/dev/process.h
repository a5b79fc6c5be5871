#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace weft {

// What a program that was run had to say.
struct ProcessResult {
  int exit_code = 0;   // 128 and its number for a signal.
  std::string output;  // Both streams, as they came.
};

struct ProcessOptions {
  std::string folder = {};  // Where it runs; empty: here.
  // Also to stderr as it comes, for what takes long.
  bool echo = false;
  std::chrono::seconds time_max = std::chrono::minutes(30);
};

// Of the output so much is kept, its beginning.
inline constexpr std::size_t kProcessOutputMax = 256 * 1024;

// Runs a program of PATH to its end, with no input. It ends with whoever presses Ctrl-C.
// kNotFound: there is no such program; kTimeout: it was killed.
Result<ProcessResult> run_process(const std::vector<std::string>& words,
                                  const ProcessOptions& options = {});

// Whether PATH has a program of that name.
bool is_in_path(std::string_view program);

}  // namespace weft
