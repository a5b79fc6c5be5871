#pragma once

#include <cstdint>
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
enum class Told : std::uint8_t { kYes, kNo };  // kNo: for weft itself, and not for people.
struct ActionOptions {
  std::string_view action;
  std::string_view options;
  Told told = Told::kYes;
};

// Has a command line refused whose action there is not, with the one that was meant, or which has
// an option beside an action that does not take it. The action is the verb's first word; `action`
// says all of it, when the words were parsed; `actions` outlives the verb.
void take_by_action(CLI::App& verb, std::span<const ActionOptions> actions,
                    std::function<std::string()> action);

}  // namespace weft
