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
  bool http = words.kind == "http";
  say(fmt::format("weft: made {}: {}, in {}. Next:", words.name,
                  http                      ? "an app that serves HTTP and counts its visitors"
                  : words.kind == "command" ? "an app of one command"
                                            : "a component that exports an interface of its own",
                  words.language));
  if (http)
    say(fmt::format("  weft dev {:<12} builds it, serves it, follows each save", words.name));
  say(fmt::format("  weft build {:<10} builds it as it is to run", words.name));
  if (words.kind == "command") say(fmt::format("  weft run {:<12} runs it", words.name));
  if (http) say(fmt::format("  weft run {:<12} serves what was built", words.name));
  say(fmt::format("  weft check {:<10} says what is wrong with it", words.name));
  return 0;
}

}  // namespace weft
