#pragma once

#include <string>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

struct TopWords {
  std::string admin = "127.0.0.1:9090";
  bool once = false;
  bool json = false;
};

void add_top_options(CLI::App& verb, TopWords& words);
// Shows what a host's admin address tells, anew each second until it is interrupted; or once. The
// exit code: 1 where the host does not answer.
Result<int> run_top(const TopWords& words);

}  // namespace weft
