#pragma once

#include <string>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft inspect`.
struct InspectWords {
  std::string target;
  bool json = false;
  bool wit = false;
  bool full = false;
};

void add_inspect_options(CLI::App& verb, InspectWords& words);
// Prints what a file, or each .wasm and .wat below a folder, holds. The exit code: 1 when one of
// them cannot be loaded.
Result<int> run_inspect(const InspectWords& words);

}  // namespace weft
