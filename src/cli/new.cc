#include "cli/new.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "base/console.h"

namespace weft {

void add_new_options(CLI::App& verb, NewApp& words) {
  verb.add_option("LANG", words.language,
                  fmt::format("One of {}", fmt::join(template_languages(), ", ")))
      ->required();
  verb.add_option("NAME", words.name, "The app's name, and its folder's")->required();
  verb.add_option("--kind", words.kind,
                  "http (with a key-value store), command, or empty: an interface of your own")
      ->capture_default_str();
}

Result<int> run_new(const NewApp& words) {
  TRY(auto files, make_app(words));
  for (const std::string& file : files) fmt::print("{}\n", file);
  std::string next = words.kind == "http" ? fmt::format("weft dev {}", words.name)
                     : words.kind == "command"
                         ? fmt::format("weft build {0} && weft run {0}", words.name)
                         : fmt::format("weft build {}", words.name);
  say(fmt::format("weft: next: {}", next));
  return 0;
}

}  // namespace weft
