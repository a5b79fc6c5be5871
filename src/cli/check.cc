#include "cli/check.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "app/connect_check.h"
#include "app/edition.h"
#include "cli/run_options.h"
#include "node/links/net_nodes.h"

namespace weft {

void add_check_options(CLI::App& verb, CheckWords& words) {
  verb.add_option("APP", words.apps,
                  "Apps: folders with a weft.toml; default: the folder that one is in");
  verb.add_option("--on", words.on, "The operator's file that they are to run on")
      ->type_name("FILE");
  verb.add_option("--env", words.env, "An environment variable, as for weft run")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb.add_option("--state", words.state, "The state folder that has the secrets, as for weft run")
      ->type_name("DIR");
  verb.add_flag(
      "--connect", words.connect,
      "Also ask every server and node that the operator's file names whether it can be used, and "
      "nodes for the libraries of links");
  verb.add_flag("--json", words.json, "Print one JSON object");
}

Result<int> run_check(const CheckWords& words) {
  EditionSources sources;
  sources.apps = words.apps.empty() ? std::vector<std::string>{"."} : words.apps;
  sources.environment_file = words.on;
  for (const std::string& text : words.env) {
    TRY(auto variable, check_variable(text));
    sources.variables.insert(std::move(variable));
  }
  TRY(auto runtime, Runtime::create({.cache_folder = default_cache_folder()}));
  // Nothing is opened or made; secrets are looked for where they would be.
  CapabilityTable capabilities = embedded_capabilities({.state_folder = default_state_folder()});
  if (!words.state.empty()) capabilities.keep_in(words.state);
  // Nothing is fetched.
  node::links::NetNodes nodes({});
  sources.nodes = &nodes;
  Problems problems;
  EditionSettings settings = EditionSettings::read(sources, capabilities, problems);
  const EditionSettings known = settings;
  Edition::make(*runtime, capabilities, sources, std::move(settings), Plan::Opening::kLookOnly,
                problems);
  std::vector<Reached> reached;
  if (words.connect) {
    reached = connect_all(known.environment, capabilities, problems);
    std::ranges::move(connect_nodes(known, nodes, problems), std::back_inserter(reached));
  }
  if (words.json) {
    fmt::print("{}\n", problems.json());
  } else {
    for (const Reached& each : reached) {
      fmt::print("[{}]: {} is there and can be used ({:.1f} ms)\n", each.table, each.driver,
                 std::chrono::duration<double, std::milli>(each.took).count());
    }
    fmt::print("{}", problems.text());
    fmt::print("{}\n", problems.summary());
  }
  return problems.failed() ? 1 : 0;
}

}  // namespace weft
