#include "cli/new.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <vector>

#include "base/console.h"

namespace weft {
namespace {

// A command that comes after, and what it does.
struct Next {
  std::string command;
  std::string_view what;
};

std::string_view kind_in_words(std::string_view kind) {
  if (kind == "http") return "an app that serves HTTP and counts its visitors";
  if (kind == "command") return "an app of one command";
  if (kind == "message") return "an app that is woken by messages";
  if (kind == "cron") return "an app that runs on a schedule";
  if (kind == "sensor") return "an app that is told when a sensor crosses a limit";
  if (kind == "lock") return "an app that serves HTTP, in which one at a time does its work";
  return "a component that exports an interface of its own";
}

std::vector<Next> next_of(std::string_view kind, const std::string& name) {
  bool serves = kind != "command" && kind != "empty";
  bool operated = kind == "message" || kind == "cron" || kind == "sensor";
  std::string on = operated ? fmt::format(" --on {}/operator.toml", name) : "";
  std::vector<Next> all;
  if (serves) {
    all.push_back(
        {fmt::format("weft dev {}{}", name, on), "builds it, serves it, follows each save"});
  }
  if (kind == "message") {
    all.push_back({fmt::format("weft messages publish {} orders.new coffee", name),
                   "has it called, from another terminal"});
  }
  if (kind == "cron") {
    all.push_back(
        {fmt::format("weft cron run {} job", name), "has it run now, from another terminal"});
    all.push_back({fmt::format("weft cron list {}", name), "when it runs next"});
  }
  all.push_back({fmt::format("weft build {}", name), "builds it as it is to run"});
  if (kind == "command") all.push_back({fmt::format("weft run {}", name), "runs it"});
  if (serves) all.push_back({fmt::format("weft run {}{}", name, on), "serves what was built"});
  all.push_back({fmt::format("weft check {}", name), "says what is wrong with it"});
  return all;
}

}  // namespace

void add_new_options(CLI::App& verb, NewApp& words) {
  verb.add_option("LANG", words.language,
                  fmt::format("One of {}", fmt::join(template_languages(), ", ")))
      ->required();
  verb.add_option("NAME", words.name, "The app's name, and its folder's")->required();
  verb.add_option("--kind", words.kind,
                  "http (with a key-value store), command, or empty: an interface of your own; in "
                  "cpp also message, cron (a schedule), sensor and lock")
      ->capture_default_str();
}

Result<int> run_new(const NewApp& words) {
  TRY(auto files, make_app(words));
  for (const std::string& file : files) fmt::print("{}\n", file);
  say(fmt::format("weft: made {}: {}, in {}. Next:", words.name, kind_in_words(words.kind),
                  words.language));
  std::vector<Next> next = next_of(words.kind, words.name);
  std::size_t width = std::ranges::max(next, {}, [](const Next& each) {
                        return each.command.size();
                      }).command.size();
  for (const Next& each : next) say(fmt::format("  {:<{}}  {}", each.command, width, each.what));
  return 0;
}

}  // namespace weft
