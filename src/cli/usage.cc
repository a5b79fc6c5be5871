#include "cli/usage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/nearest.h"

namespace weft {
namespace {

// "--htpp" of "The following arguments were not expected: x --htpp": an option that there is not
// makes other words look like too many.
std::string_view unknown_of(std::string_view what) {
  std::size_t colon = what.find(": ");
  if (colon == std::string_view::npos) return {};
  std::string_view words = what.substr(colon + 2);
  std::size_t option = words.starts_with("-") ? 0 : words.find(" -");
  if (option != std::string_view::npos) words.remove_prefix(option == 0 ? 0 : option + 1);
  return words.substr(0, words.find(' '));
}

std::string with_help(std::string what, const std::string& command) {
  return fmt::format("{}{} {} --help", what, what.ends_with('?') ? " See" : ": see", command);
}

std::string unknown_word(const CLI::App& verb, std::string_view word) {
  if (!word.starts_with("-")) return fmt::format("\"{}\" is one word too many", word);
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  std::vector<std::string_view> known(names.begin(), names.end());
  auto meant = nearest(word.substr(0, word.find('=')), known);
  return fmt::format("there is no option {}{}", word,
                     meant ? fmt::format(": did you mean {}?", *meant) : "");
}

}  // namespace

std::optional<std::string> verb_problem(const CLI::App& app, int count, const char* const* words) {
  static constexpr std::array<std::string_view, 3> kAlone{"-h", "--help", "--version"};
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  if (count < 2) return with_help(fmt::format("name a verb: {}", fmt::join(names, ", ")), "weft");
  std::string_view word = words[1];
  if (std::ranges::find(names, word) != names.end()) return std::nullopt;
  if (std::ranges::find(kAlone, word) != kAlone.end()) return std::nullopt;
  if (word.starts_with("-")) {
    return with_help(fmt::format("\"{0}\" stands where a verb should: write weft VERB {0}", word),
                     "weft");
  }
  std::vector<std::string_view> known(names.begin(), names.end());
  auto meant = nearest(word, known);
  return with_help(fmt::format("there is no verb {}: {}", word,
                               meant ? fmt::format("did you mean {}?", *meant)
                                     : fmt::format("what is there: {}", fmt::join(names, ", "))),
                   "weft");
}

std::string usage_problem(const CLI::App& app, const CLI::ParseError& problem) {
  auto verbs = app.get_subcommands();
  const CLI::App& verb = verbs.empty() ? app : *verbs.front();
  std::string what = problem.what();
  std::string_view unknown = unknown_of(what);
  bool extra = problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (extra && !unknown.empty()) what = unknown_word(verb, unknown);
  std::string help = verbs.empty() ? "weft" : fmt::format("weft {}", verb.get_name());
  return with_help(std::move(what), help);
}

}  // namespace weft
