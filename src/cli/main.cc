// The weft command: wires, and holds nothing that a test would want to link.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <system_error>

#include "base/console.h"
#include "base/fd.h"
#include "base/shown_text.h"
#include "base/version.h"
#include "cli/bindgen.h"
#include "cli/build.h"
#include "cli/call.h"
#include "cli/check.h"
#include "cli/cron.h"
#include "cli/dev.h"
#include "cli/given_words.h"
#include "cli/inspect.h"
#include "cli/key.h"
#include "cli/manual.h"
#include "cli/messages.h"
#include "cli/net.h"
#include "cli/new.h"
#include "cli/node.h"
#include "cli/record.h"
#include "cli/run.h"
#include "cli/secret.h"
#include "cli/spy.h"
#include "cli/top.h"
#include "cli/usage.h"
#include "cli/verbs.h"

namespace weft {
namespace {

struct ManWords {};
struct CompletionWords {
  std::string shell;
};

void add_man_options(CLI::App&, ManWords&) {}
void add_completion_options(CLI::App& verb, CompletionWords& words) {
  verb.add_option("SHELL", words.shell, "bash, zsh or fish")->required();
}

Result<int> print(const Result<std::string>& text) {
  if (!text) return std::unexpected(text.error());
  fmt::print("{}", *text);
  return 0;
}

// In the order of `weft --help` and of the manual.
void add_verbs(Verbs& verbs, const CLI::App& app, StopSignals& signals) {
  verbs.add<RunWords>("run", "Run a command, serve an HTTP component, or serve apps",
                      add_run_options, [&](RunWords& words) -> Result<int> {
                        TRY(RunOptions options, check_run_words(words));
                        return run(options, signals);
                      });
  verbs.add<RecordWords>("record", "Run apps and write the calls of their links to a file",
                         add_record_options,
                         [&](RecordWords& words) { return run_record(words, signals); });
  verbs.add<ReplayWords>("replay", "Run apps with their links served from a recording",
                         add_replay_options,
                         [&](ReplayWords& words) { return run_replay(words, signals); });
  verbs.add<CheckWords>("check", "Say everything that is wrong with an app", add_check_options,
                        run_check);
  verbs.add<InspectWords>("inspect", "Tell what a component or a folder holds", add_inspect_options,
                          run_inspect);
  verbs.add<CallWords>("call", "Call one function of a component or a provider", add_call_options,
                       [&](CallWords& words) { return run_call(words, signals); });
  verbs.add<NewApp>("new", "Make a new app from a template", add_new_options, run_new);
  verbs.add<BuildWords>("build", "Build the components of apps", add_build_options, run_build);
  verbs.add<RunWords>("dev", "Build an app, serve it, and follow its changes", add_dev_options,
                      [&](RunWords& words) { return run_dev(words, signals); });
  verbs.add<BindgenWords>("bindgen", "Make C++ bindings from WIT", add_bindgen_options,
                          run_bindgen);
  verbs.add<SecretWords>("secret", "Set, list or remove secrets of the embedded store",
                         add_secret_options, run_secret);
  verbs.add<KeyWords>("key", "Make a key for nodes, show one, or trust one", add_key_options,
                      run_key);
  verbs.add<CronWords>("cron", "List the schedules of apps, or run one now", add_cron_options,
                       run_cron);
  verbs.add<MessagesWords>("messages", "Watch, publish and bring again messages of a running host",
                           add_messages_options, run_messages);
  verbs.add<NodeWords>("node", "Share this machine with others of the network, within quotas",
                       add_node_options,
                       [&](NodeWords& words) { return run_node(words, signals); });
  verbs.add<NetWords>("net", "Show the nodes of the network, and have them run what you have",
                      add_net_options, [&](NetWords& words) { return run_net(words, signals); });
  verbs.add<TopWords>("top", "Show what a running host does, each second", add_top_options,
                      run_top);
  verbs.add<SpyWords>("spy", "Show the calls of a running host as they end", add_spy_options,
                      run_spy);
  verbs.add<ManWords>("man", "Print the manual page: weft man | man -l -", add_man_options,
                      [&](ManWords&) { return print(man_page(app)); });
  verbs.add<CompletionWords>(
      "completions", "Print completions: source <(weft completions bash)", add_completion_options,
      [&](CompletionWords& words) { return print(completions(app, words.shell)); });
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  weft::open_missing_stdio();
  weft::StopSignals signals;
  weft::explain_mapped_faults();
  weft::Console console;
  CLI::App app("weft: a host for WebAssembly components", "weft");
  app.set_version_flag("--version", fmt::format("weft {}", weft::kWeftVersion));
  weft::Verbs verbs(app);
  weft::add_verbs(verbs, app, signals);
  if (auto problem = weft::verb_problem(app, argc, argv)) {
    weft::say(fmt::format("weft: {}", *problem));
    return weft::kUsageExit;
  }
  try {
    weft::GivenWords given(app, argc, argv);
    app.parse(given.count(), given.words());
    weft::Result<int> code = verbs.run();
    if (code) return *code;
    weft::say(fmt::format("weft: {}", weft::without_controls(code.error().message())));
    return 1;
  } catch (const CLI::ParseError& problem) {
    // Help and the version come this way too.
    if (problem.get_exit_code() == 0) return app.exit(problem);
    weft::say(
        fmt::format("weft: {}", weft::GivenWords::unmarked(weft::usage_problem(app, problem))));
    return weft::kUsageExit;
  } catch (const std::system_error& problem) {
    // Nobody reads what is printed.
    if (problem.code() == std::errc::broken_pipe) return 0;
    weft::say(fmt::format("weft: {}", problem.what()));
    return 1;
  } catch (const std::exception& problem) {
    weft::say(fmt::format("weft: {}", problem.what()));
    return 1;
  }
}
