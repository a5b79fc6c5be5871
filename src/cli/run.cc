#include "cli/run.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "app/grants.h"
#include "app/host.h"
#include "base/console.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/one_run.h"
#include "node/links/net_nodes.h"
#include "observe/spy_queue.h"

namespace weft {

namespace {

// How long requests in flight may take to finish after a signal.
constexpr std::chrono::seconds kDrainMax{30};
// Below the state folder: modules of nodes' libraries.
constexpr const char* kFetchedFolder = "fetched";
// How often that wait looks for a second signal.
constexpr std::chrono::milliseconds kDrainLook{50};

// Waits for the requests in flight. A second signal ends the wait: nobody has to watch the process
// for kDrainMax, or to kill it.
Result<void> drain(Host& host, StopSignals& signals) {
  Deadline end = Deadline::after(kDrainMax);
  for (;;) {
    auto drained = host.drain(earlier(end, Deadline::after(kDrainLook)));
    if (drained || end.passed()) return drained;
    if (signals.wait(Deadline::after({})).value_or(SIGHUP) != SIGHUP) {
      return std::unexpected(std::move(drained).error().within("stopped by a second signal"));
    }
  }
}

void print_problems(const Problems& problems) {
  write_to_stderr(problems.text());
}

void reload(Host& host, const RunOptions& options) {
  Problems problems;
  bool done = host.reload(problems);
  if (!done || !options.quiet) print_problems(problems);
  if (!done) log::error("weft", "not reloaded: the version from before goes on serving");
  if (done && !options.quiet) log::info("weft", "reloaded");
}

// Until a signal that ends it.
void attend(Host& host, const RunOptions& options, StopSignals& signals, Attendant* attendant) {
  if (attendant != nullptr) attendant->begin(host);
  for (;;) {
    std::optional<int> signal = signals.wait();
    if (!signal && attendant != nullptr) {
      attendant->interrupted(host);
    } else if (signal == SIGHUP) {
      reload(host, options);
    } else {
      break;
    }
  }
  if (attendant != nullptr) attendant->end();
}

Result<int> serve(Host& host, Runtime& runtime, const Problems& warnings, const RunOptions& options,
                  StopSignals& signals, Attendant* attendant) {
  for (const std::string& url : host.urls()) say(url);
  if (!options.quiet) {
    if (!host.admin_url().empty()) say(fmt::format("admin: {}", host.admin_url()));
    write_to_stderr(grants_text(host.edition()));
    print_problems(warnings);
  }
  std::string note = runtime.fallback_note();
  if (!options.quiet && !note.empty()) log::warn("engine", note);
  attend(host, options, signals, attendant);
  if (!options.quiet) log::info("weft", "stopping: requests in flight are finished first");
  if (auto drained = drain(host, signals); !drained) {
    log::warn("weft", drained.error().message());
  }
  return 0;
}

// What was read before anything was made, and how the reading went.
struct Ready {
  EditionSettings settings;
  Problems problems;
};

// The edition as it is first; null when the problems say why there is none.
Result<std::shared_ptr<const Edition>> first_edition(Runtime& runtime,
                                                     const CapabilityTable& capabilities,
                                                     const EditionSources& sources, Ready& ready) {
  if (!sources.alone || !sources.environment_file.empty()) {
    return Edition::make(runtime, capabilities, sources, std::move(ready.settings),
                         Plan::Opening::kOpen, ready.problems);
  }
  // One file has nothing that could be wrong in many places.
  TRY(auto plan, Plan::make(runtime, capabilities, *sources.alone));
  return Edition::of(std::move(plan));
}

// The engine, with room for what the files allow, and for what the command line does.
Result<std::unique_ptr<Runtime>> make_runtime(const RunOptions& options, const Ready& ready) {
  std::uint64_t flags = std::uint64_t{options.limits.instances_max} * options.sources.loops;
  std::uint64_t files = ready.settings.instances(options.sources);
  auto most = std::min<std::uint64_t>(kInstancesMax, std::max(flags, files));
  return Runtime::create(
      {.instances_max = static_cast<std::uint32_t>(most), .cache_folder = options.cache_folder});
}

// Where data is kept: as the command line says, or the operator's file, or what the verb has.
std::string state_folder(const RunOptions& options, const Environment& environment) {
  if (!options.state_folder.empty()) return options.state_folder;
  if (!environment.state_folder.empty()) return environment.state_folder;
  return options.default_state_folder;
}

}  // namespace

Result<int> run(RunOptions options, StopSignals& signals, Attendant* attendant) {
  SpyQueue spy;
  options.sources.tap.spy = &spy;
  if (options.sources.alone) options.sources.alone->tap = options.sources.tap;
  if (auto raised = raise_open_files(); !raised && !options.quiet) {
    log::warn("weft", raised.error().message());
  }
  std::unique_ptr<Runtime> runtime;
  // Destroyed last but for the engine: what the capabilities still finish is posted to a loop.
  std::optional<Loops> loops;
  CapabilityTable capabilities = embedded_capabilities({.state_folder = {}});
  Ready ready;
  // The operator's file may name secrets that are kept there, and where "there" is.
  bool said = !options.state_folder.empty();
  capabilities.keep_in(
      said ? options.state_folder : options.default_state_folder,
      said ? StateFolderOnDemand::Place::kFirm : StateFolderOnDemand::Place::kLoose);
  ready.settings = EditionSettings::read(options.sources, capabilities, ready.problems);
  std::string state = state_folder(options, ready.settings.environment);
  capabilities.keep_in(state);
  node::links::NetNodes nodes(std::filesystem::path(state) / kFetchedFolder);
  options.sources.nodes = &nodes;
  TRY(runtime, make_runtime(options, ready));
  TRY(auto edition, first_edition(*runtime, capabilities, options.sources, ready));
  if (edition == nullptr) {
    print_problems(ready.problems);
    return failure(Errc::kInvalid, fmt::format("not started: {}", ready.problems.summary()));
  }
  if (const Plan* command = edition->command()) {
    loops.emplace(Loops::Options{.count = 1, .started = {}, .stopping = {}});
    return run_once(*runtime, edition->plans(), *command, options.http_client, *loops, signals,
                    [](Deployment& deployment, GuestRun::Done done) {
                      return GuestRun::command(deployment, std::move(done));
                    })
        .exit_code();
  }
  if (!edition->serves()) {
    return failure(
        Errc::kUnsupported,
        fmt::format("{}: it exports neither wasi:cli/run nor wasi:http's handler, so there "
                    "is nothing to run",
                    options.target));
  }
  loops.emplace(Loops::Options{.count = options.sources.loops, .started = {}, .stopping = {}});
  signals.hold();
  auto host = Host::start(*runtime, capabilities, *loops, options.sources, std::move(edition),
                          {.listen = options.listen,
                           .access_log = options.access_log,
                           .admin = options.admin,
                           .spy = &spy,
                           .spy_values = options.spy_values,
                           .calls = options.admin_calls,
                           .otlp_endpoint = options.otlp_endpoint,
                           .http_client = options.http_client});
  Result<int> code = host ? serve(**host, *runtime, ready.problems, options, signals, attendant)
                          : Result<int>(std::unexpected(std::move(host).error()));
  if (host) host->reset();
  loops->stop();
  return code;
}

}  // namespace weft
