#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "node/object/key_file.h"

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

// A key by its 64 digits, or by a file of it.
Result<node::NamedKey> key_called(const std::string& word);

void add_key_options(CLI::App& verb, KeyWords& words);
// Makes a key, shows the public half of one, or adds one to a group of those whom a node trusts.
// Nothing of a private key is printed.
Result<int> run_key(const KeyWords& words);

}  // namespace weft
