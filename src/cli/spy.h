#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "observe/spy_lines.h"

namespace CLI {
class App;
}

namespace weft {

struct SpyWords {
  std::string admin = "127.0.0.1:9090";
  SpyFilter filter;
  std::uint64_t count = 0;  // 0: without an end.
  bool json = false;
};

void add_spy_options(CLI::App& verb, SpyWords& words);
// Prints the calls of a running host as they end, until it is interrupted or the host stops. The
// exit code: 1 where the host does not answer.
Result<int> run_spy(const SpyWords& words);

}  // namespace weft
