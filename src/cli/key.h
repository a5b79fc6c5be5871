#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

struct KeyWords {
  std::string action;
  std::vector<std::string> words;
  std::string as;
  bool json = false;
};

void add_key_options(CLI::App& verb, KeyWords& words);
// Makes a key, shows the public half of one, or adds one to a group of those whom a node trusts.
// Nothing of a private key is printed.
Result<int> run_key(const KeyWords& words);

}  // namespace weft
