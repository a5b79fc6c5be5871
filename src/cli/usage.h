#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace weft {

// What weft ends with when its command line cannot be understood.
inline constexpr int kUsageExit = 2;

// What is wrong with the word that should be a verb; nothing when it is one, or a flag that stands
// for itself.
std::optional<std::string> verb_problem(const CLI::App& app, int count, const char* const* words);

// What the parser found wrong with the words after a verb, with the name that was meant when there
// is one, and where help is.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& problem);

}  // namespace weft
