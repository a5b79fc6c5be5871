#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

class StopSignals;

// The words of `weft net`.
struct NetWords {
  std::string action = "list";
  std::vector<std::string> rest;
  std::string key;
  std::string output;
  std::string receipt;
  std::string wait = "1500ms";
  std::string time = "60s";
  std::string cpu;
  std::string memory;
  std::vector<std::string> interfaces;
  bool json = false;
  bool tree = false;
  bool args_json = false;
  bool loopback = false;
};

void add_net_options(CLI::App& verb, NetWords& words);
// Who is there, and what they do for us. A signal cancels there what runs there.
Result<int> run_net(const NetWords& words, StopSignals& signals);

}  // namespace weft
