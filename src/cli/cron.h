#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft cron`.
struct CronWords {
  std::string what;  // "list".
  std::vector<std::string> apps;
  unsigned times = 3;
  bool json = false;
};

void add_cron_options(CLI::App& verb, CronWords& words);
// Prints each [[trigger.cron]] of the apps and when it comes next. The exit code.
Result<int> run_cron(const CronWords& words);

}  // namespace weft
