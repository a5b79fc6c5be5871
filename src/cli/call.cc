#include "cli/call.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "cli/one_run.h"
#include "cli/provider_call.h"
#include "cli/remote_call.h"
#include "cli/standard_output.h"

namespace weft {

void add_call_options(CLI::App& verb, CallWords& words) {
  verb.add_option(
          "FILE", words.run.target,
          "A component: .wasm or .wat; with --provider an app: a folder with a weft.toml; with "
          "--at APP/COMPONENT or APP/PROVIDER")
      ->required();
  verb.add_option("CALL", words.form.function,
                  "pkg:name/iface#func(args), or func(args) for a function of the world; the "
                  "arguments are WAVE text: 1, \"two\", [3], {name: \"x\"}, some(4), none, ok(5)")
      ->required();
  verb.add_option("ARGS", words.form.arguments, "With --json: the arguments as a JSON array");
  verb.add_flag("--json", words.form.json, "Arguments and result are JSON; CALL has no brackets");
  verb.add_option("--provider", words.provider,
                  "Start this process of the app, [provider.NAME], call it and stop it")
      ->type_name("NAME");
  verb.add_option(
          "--at", words.at,
          "Call what runs in the host that has this admin address, where its operator's file "
          "says [admin] calls = true")
      ->type_name("ADDR:PORT");
  verb.add_option("--on", words.run.on,
                  "With --provider: the operator's file, with its configuration and secrets")
      ->type_name("FILE");
  add_component_options(verb, words.run);
  verb.footer(
      "The function runs in a fresh instance, and its result is printed; what the component prints "
      "itself is logged. With --at it has what the running app has, and --time is at most the "
      "component's own, or 60s. The version of an interface may be left out where there is only "
      "one.\n"
      "Exit code: 0 when the function returned, also when what it returned is err(...); 1 when it "
      "trapped, met a limit, or could not be called.");
}

Result<int> run_call(const CallWords& words, StopSignals& signals) {
  TRY(CallText call, read_call(words.form));
  if (!words.at.empty()) return call_remote(words);
  if (!words.provider.empty()) return call_provider(words, call, signals);
  if (manifest_of(words.run.target)) {
    return failure(Errc::kInvalid,
                   fmt::format("{}: name the file of a component, .wasm or .wat, or a process of "
                               "the app: --provider NAME",
                               words.run.target));
  }
  if (!words.run.on.empty()) {
    return failure(Errc::kInvalid,
                   "--on is for --provider: a component has its grants from the "
                   "command line");
  }
  TRY(RunOptions options, check_run_words(words.run));
  if (auto raised = raise_open_files(); !raised) log::warn("weft", raised.error().message());
  TRY(auto runtime, Runtime::create({.cache_folder = options.cache_folder}));
  PreparedCall prepared;
  {
    // What is wrong with the call is told before anything is opened.
    TRY(auto program, runtime->load(options.target, options.limits.memory_bytes));
    auto ready = prepare_call(words.form, call, program->info().exports);
    if (!ready) return std::unexpected(std::move(ready).error().within(options.target));
    prepared = *std::move(ready);
  }
  // Made last and destroyed last: what the capabilities still finish is posted to a loop.
  std::optional<Loops> loops;
  std::string state = options.state_folder.empty() ? default_state_folder() : options.state_folder;
  CapabilityTable capabilities = embedded_capabilities({.state_folder = state});
  std::vector<std::unique_ptr<Plan>> plans(1);
  TRY(plans[0], Plan::make(*runtime, capabilities, component_of(options)));
  loops.emplace(Loops::Options{.count = 1, .started = {}, .stopping = {}});
  OneRun run =
      run_once(*runtime, plans, *plans[0], options.http_client, *loops, signals,
               [&](Deployment& deployment, GuestRun::Done done) {
                 return GuestRun::call(deployment, static_cast<std::uint32_t>(prepared.number),
                                       prepared.arguments, std::move(done));
               });
  TRY(int code, run.exit_code());
  if (run.outcome && run.outcome->ending == RunOutcome::Ending::kDone) {
    TRY(std::string text, result_text(prepared, words.form, run.reply));
    TRY_VOID(print_line(text));
  }
  return code;
}

Result<std::optional<std::chrono::milliseconds>> time_of(const CallWords& words) {
  const std::string& written = words.run.time;
  if (written.empty()) return std::nullopt;
  auto time = read_duration(written);
  if (!time) return std::unexpected(std::move(time).error().within("--time " + written));
  if (time->count() <= 0) {
    return failure(Errc::kInvalid,
                   fmt::format("--time {}: write how long it may take, like 60s", written));
  }
  return std::chrono::ceil<std::chrono::milliseconds>(*time);
}

}  // namespace weft
