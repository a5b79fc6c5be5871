#include "cli/call.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "cli/one_run.h"
#include "cli/standard_output.h"
#include "values/call_text.h"
#include "values/json.h"
#include "values/wave.h"

namespace weft {
namespace {

// The function that is called, by its number in the program's info, and its arguments.
struct Prepared {
  std::uint32_t number = 0;
  Type result;
  Bytes arguments;
};

Result<CallText> check_words(const CallWords& words) {
  TRY(CallText call, cut_call(words.function));
  if (words.json && call.arguments) {
    return failure(Errc::kInvalid,
                   fmt::format("with --json the arguments are an array after the function: write "
                               "--json '{}' '[...]'",
                               call.function.text()));
  }
  if (!words.json && !words.arguments.empty()) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" follows the call: write the arguments into its brackets, or "
                               "use --json with an array of them",
                               words.arguments));
  }
  if (Edition::manifest_of(words.run.target)) {
    return failure(Errc::kInvalid, fmt::format("{}: name the file of a component: .wasm or .wat",
                                               words.run.target));
  }
  return call;
}

// What crosses must have a text.
Result<void> check_plain(const Signature& signature) {
  auto refuse = [](std::string_view where, const std::string& handle) {
    return failure(Errc::kUnsupported,
                   fmt::format("{} has {} in it, and weft call takes and gives plain values only",
                               where, handle));
  };
  for (const auto& [name, type] : signature.parameters) {
    if (auto handle = find_handle(type))
      return refuse(fmt::format("argument \"{}\"", name), *handle);
  }
  if (auto handle = find_handle(signature.result)) return refuse("the result", *handle);
  return {};
}

Result<Prepared> prepare(const CallWords& words, const CallText& call, const ProgramInfo& info) {
  std::vector<FunctionName> known;
  for (const ExportedFunction& each : info.exports) known.push_back({each.interface, each.name});
  TRY(std::size_t number, find_function(known, call.function));
  TRY(Signature signature, parse_signature(info.exports[number].signature));
  TRY_VOID(check_plain(signature));
  Result<Bytes> arguments;
  if (words.json) {
    arguments = arguments_from_json(signature, words.arguments.empty() ? "[]" : words.arguments);
  } else if (call.arguments) {
    arguments = arguments_from_wave(signature, words.function, *call.arguments);
  } else {
    arguments = arguments_from_wave(signature, "()");
  }
  if (!arguments) {
    return std::unexpected(std::move(arguments).error().within(known[number].text()));
  }
  return Prepared{static_cast<std::uint32_t>(number), std::move(signature.result),
                  *std::move(arguments)};
}

Result<void> print_result(const Prepared& call, const CallWords& words, BytesView reply) {
  std::string text = "null";
  if (call.result.kind != Type::Kind::kNothing) {
    TRY(text, words.json ? value_to_json(call.result, reply) : value_to_wave(call.result, reply));
  } else if (!words.json) {
    return {};
  }
  fmt::print("{}\n", text);
  return finish_output();
}

}  // namespace

void add_call_options(CLI::App& verb, CallWords& words) {
  verb.add_option("FILE", words.run.target, "A component: .wasm or .wat")->required();
  verb.add_option("CALL", words.function,
                  "pkg:name/iface#func(args), or func(args) for a function of the world; the "
                  "arguments are WAVE text: 1, \"two\", [3], {name: \"x\"}, some(4), none, ok(5)")
      ->required();
  verb.add_option("ARGS", words.arguments, "With --json: the arguments as a JSON array");
  verb.add_flag("--json", words.json, "Arguments and result are JSON; CALL has no brackets");
  add_component_options(verb, words.run);
  verb.footer(
      "The function runs in a fresh instance, and its result is printed; what the component prints "
      "itself is logged. The version of an interface may be left out where there is only one.\n"
      "Exit code: 0 when the function returned, also when what it returned is err(...); 1 when it "
      "trapped, met a limit, or could not be called.");
}

Result<int> run_call(const CallWords& words, StopSignals& signals) {
  TRY(CallText call, check_words(words));
  TRY(RunOptions options, check_run_words(words.run));
  if (auto raised = raise_open_files(); !raised) log::warn("weft", raised.error().message());
  TRY(auto runtime, Runtime::create({.cache_folder = options.cache_folder}));
  Prepared prepared;
  {
    // What is wrong with the call is told before anything is opened.
    TRY(auto program, runtime->load(options.target, options.limits.memory_bytes));
    auto ready = prepare(words, call, program->info());
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
  OneRun run = run_once(*runtime, plans, *plans[0], options.http_client, *loops, signals,
                        [&](Deployment& deployment, GuestRun::Done done) {
                          return GuestRun::call(deployment, prepared.number, prepared.arguments,
                                                std::move(done));
                        });
  TRY(int code, run.exit_code());
  if (run.outcome && run.outcome->ending == RunOutcome::Ending::kDone) {
    TRY_VOID(print_result(prepared, words, run.reply));
  }
  return code;
}

}  // namespace weft
