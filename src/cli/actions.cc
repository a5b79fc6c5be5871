#include "cli/actions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

namespace weft {
namespace {

bool takes(const ActionOptions& action, std::string_view flag) {
  std::string_view rest = action.options;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(' '));
    if (word == flag) return true;
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return false;
}

// "--time is not for weft cron list, but for weft cron run"
std::string misplaced(const std::string& verb, std::string_view action, std::string_view flag,
                      std::span<const ActionOptions> actions) {
  std::vector<std::string> others;
  for (const ActionOptions& each : actions) {
    if (takes(each, flag)) others.push_back(fmt::format("weft {} {}", verb, each.action));
  }
  return fmt::format("{} is not for weft {} {}, but for {}", flag, verb, action,
                     fmt::join(others, ", "));
}

}  // namespace

void take_by_action(CLI::App& verb, std::span<const ActionOptions> actions,
                    std::function<std::string()> action) {
  verb.final_callback([&verb, actions, action = std::move(action)] {
    std::string name = action();
    auto line = std::ranges::find(actions, std::string_view(name), &ActionOptions::action);
    if (line == actions.end()) return;
    std::string wrong;
    for (const CLI::Option* option : verb.get_options()) {
      if (option->get_lnames().empty() || option->count() == 0) continue;
      std::string flag = "--" + option->get_lnames().front();
      if (takes(*line, flag)) continue;
      if (!wrong.empty()) wrong += "; ";
      wrong += misplaced(verb.get_name(), name, flag, actions);
    }
    if (!wrong.empty()) throw CLI::ArgumentMismatch(wrong);
  });
}

}  // namespace weft
