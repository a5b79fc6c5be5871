#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft messages`.
struct MessagesWords {
  std::string what;                // tail, publish, dead, replay, groups or forget
  std::string where;               // APP or APP/BROKER
  std::vector<std::string> words;  // A topic and data, a pattern, or a group and numbers.
  std::string at = "127.0.0.1:9090";
  std::vector<std::string> metadata;  // K=V
  std::string group;
  std::uint64_t count = 0;  // 0: without an end.
  bool bodies = false;
  bool all = false;
  bool json = false;
};

void add_messages_options(CLI::App& verb, MessagesWords& words);
// Asks a running host about the messages of a broker: by the admin address, where the operator lets
// anybody call. The exit code.
Result<int> run_messages(const MessagesWords& words);

}  // namespace weft
