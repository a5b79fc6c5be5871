#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace weft {

// A new app, from the templates inside the binary.
struct NewApp {
  std::string language;  // As template_languages() has it, or another name of it: "c++", "js".
  std::string kind = "http";
  std::string name;    // Of the app; its folder has the same name.
  std::string parent;  // Where the folder is made; empty: here.
};

std::vector<std::string> template_languages();
// "http", "command", "message": those that a language has.
std::vector<std::string> template_kinds(const std::string& language);

// Writes the app's files and gives their paths. Touches nothing when the folder is there already.
Result<std::vector<std::string>> make_app(const NewApp& app);

}  // namespace weft
