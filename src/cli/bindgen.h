#pragma once

#include <string>

#include "base/error.h"
#include "engine/wit.h"

namespace CLI {
class App;
}

namespace weft {

struct BindgenWords {
  WitQuery wit;
  std::string out = ".";
};

void add_bindgen_options(CLI::App& verb, BindgenWords& words);
// Writes the C++ of each interface below the output folder, and prints what it wrote.
Result<int> run_bindgen(const BindgenWords& words);

}  // namespace weft
