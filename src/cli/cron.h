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
  std::string what;               // list or run
  std::vector<std::string> apps;  // With run: an app and one of its components.
  std::string schedule;           // With run: which of the component's; empty: the only one.
  std::string at = "127.0.0.1:9090";
  std::string time;
  unsigned times = 3;
  bool json = false;
};

void add_cron_options(CLI::App& verb, CronWords& words);
// Prints each [[trigger.cron]] of the apps and when it comes next; or has a running host run one
// now, and waits for its end. The exit code.
Result<int> run_cron(const CronWords& words);

}  // namespace weft
