#pragma once

#include <string>

#include "base/error.h"
#include "engine/wit.h"

namespace CLI {
class App;
}

namespace weft {

struct BindgenWords {
  std::string kind;
  WitQuery wit;
  std::string out = ".";
};

void add_bindgen_options(CLI::App& verb, BindgenWords& words);
// Writes bindings of one kind below the output folder, and prints what it wrote. What a person goes
// on from is written once, and kept after that.
Result<int> run_bindgen(const BindgenWords& words);

}  // namespace weft
