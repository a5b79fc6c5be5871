#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/runtime.h"

namespace weft::node::runs {

// Private memory that a process which compiles may have.
inline constexpr std::uint64_t kCompileMemoryMax = std::uint64_t{2} << 30;
// The time that it may take, times the processor time that it may use.
inline constexpr int kCompilePatience = 10;

// What came of compiling a module, and the processor time it took.
struct Compiled {
  Result<void> how;
  std::chrono::nanoseconds cost{0};
};

// Runs a command that compiles, in a process of its own with bounds, and waits for it: what cannot
// be interrupted here can be killed there. Its last words, on standard error, are the message where
// it fails with an exit code. kLimit: it reached a bound, and would again; kTimeout: it had
// the processor too seldom; kUnavailable: somebody ended it. Blocks; from any thread that lives
// longer than the call.
Compiled compile_apart(std::vector<std::string> command, std::chrono::seconds cpu_max,
                       std::uint64_t memory_max = kCompileMemoryMax);

// The other side, for the process that such a command starts: compiles the module in a file into
// the cache of `options`, which are the node's own, for runs with so much memory. Its exit code.
int compile_module(const std::string& file, RuntimeOptions options, std::uint64_t memory_bytes_max);

}  // namespace weft::node::runs
