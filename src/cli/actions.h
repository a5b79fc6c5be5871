#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace weft {

// One of the actions of a verb that has several, `weft cron list`, and what of the verb's options
// it takes: "--times --json".
struct ActionOptions {
  std::string_view action;
  std::string_view options;
};

// Has an option refused that stands beside an action which does not take it, when all words were
// parsed: a command line that is not understood. `action` says which one that is; `actions`
// outlives the verb, and one that has no line there takes every option.
void take_by_action(CLI::App& verb, std::span<const ActionOptions> actions,
                    std::function<std::string()> action);

}  // namespace weft
