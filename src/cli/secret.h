#pragma once

#include <string>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

struct SecretWords {
  std::string action;
  std::string name;
  std::string state;
  std::string on;
  bool json = false;
};

void add_secret_options(CLI::App& verb, SecretWords& words);
// Sets, lists or removes secrets of the embedded store, beside a host that may be running. A value
// comes from standard input, or is asked for where that is a terminal; it is never an argument, and
// never printed.
Result<int> run_secret(const SecretWords& words);

}  // namespace weft
