#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft check`.
struct CheckWords {
  std::vector<std::string> apps;
  std::string on;
  std::string state;
  std::vector<std::string> env;
  bool connect = false;
  bool json = false;
};

void add_check_options(CLI::App& verb, CheckWords& words);
// Prints everything that would be wrong later. The exit code: 1 when something is.
Result<int> run_check(const CheckWords& words);

}  // namespace weft
