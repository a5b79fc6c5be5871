#include "cli/actions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "base/nearest.h"

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

// The first word of an action that has two, "library add".
std::string_view first_word(std::string_view action) {
  return action.substr(0, action.find(' '));
}

// "there is no weft net rnu: did you mean weft net run?"
std::string unknown(const std::string& verb, std::string_view word,
                    std::span<const std::string_view> known) {
  auto meant = nearest(word, known);
  return fmt::format("there is no weft {} {}: {}", verb, word,
                     meant ? fmt::format("did you mean weft {} {}?", verb, *meant)
                           : fmt::format("what is there: {}", fmt::join(known, ", ")));
}

// The first word alone, before anything that it would have to have after it is missed.
void check_action(const CLI::App& verb, CLI::Option& option,
                  std::span<const ActionOptions> actions) {
  auto check = [&verb, actions](const std::string& word) -> std::string {
    std::vector<std::string_view> known;
    for (const ActionOptions& each : actions) {
      std::string_view first = first_word(each.action);
      if (first == word) return "";
      if (each.told == Told::kYes && (known.empty() || known.back() != first)) {
        known.push_back(first);
      }
    }
    throw CLI::ArgumentMismatch(unknown(verb.get_name(), word, known));
  };
  option.check(check, "");
}

}  // namespace

void take_by_action(CLI::App& verb, std::span<const ActionOptions> actions,
                    std::function<std::string()> action) {
  for (CLI::Option* option : verb.get_options()) {
    if (!option->get_positional()) continue;
    check_action(verb, *option, actions);
    break;
  }
  verb.final_callback([&verb, actions, action = std::move(action)] {
    std::string name = action();
    auto line = std::ranges::find(actions, std::string_view(name), &ActionOptions::action);
    if (line == actions.end()) {
      std::vector<std::string_view> known;
      for (const ActionOptions& each : actions) {
        if (first_word(each.action) == first_word(name)) known.push_back(each.action);
      }
      throw CLI::ArgumentMismatch(unknown(verb.get_name(), name, known));
    }
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
