#pragma once

#include <string>

#include "base/error.h"

namespace CLI {
class App;
}

namespace weft {

// The manual page, in troff, and completions for a shell: made of the same verbs and options that
// --help prints.
std::string man_page(const CLI::App& app);
// `shell`: bash, zsh or fish.
Result<std::string> completions(const CLI::App& app, const std::string& shell);

}  // namespace weft
