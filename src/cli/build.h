#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft build`.
struct BuildWords {
  std::vector<std::string> apps;
};

void add_build_options(CLI::App& verb, BuildWords& words);
// Builds the apps' components. The exit code: 1 when a weft.toml is wrong.
Result<int> run_build(const BuildWords& words);

}  // namespace weft
