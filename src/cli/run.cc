#include "cli/run.h"

#include <fmt/format.h>
#include <signal.h>

#include <thread>

#include "app/grants.h"
#include "app/host.h"
#include "base/console.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/one_run.h"

namespace weft {

namespace {

// How long requests in flight may take to finish after a signal.
constexpr std::chrono::seconds kDrainMax{30};
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

// Where data is kept: as the command line says, or the operator's file, or the user's folder. What
// is wrong with the file is told when it is read for the edition.
std::string state_folder(const RunOptions& options) {
  if (!options.state_folder.empty()) return options.state_folder;
  const std::string& file = options.sources.environment_file;
  if (!file.empty()) {
    Problems problems;
    CapabilityTable capabilities = embedded_capabilities({.state_folder = {}});
    auto environment = Environment::read(file, capabilities, options.sources.process, problems);
    if (environment && !environment->state_folder.empty()) return environment->state_folder;
  }
  return default_state_folder();
}

// The edition as it is first; null when the problems say why there is none.
Result<std::shared_ptr<const Edition>> first_edition(Runtime& runtime,
                                                     const CapabilityTable& capabilities,
                                                     const EditionSources& sources,
                                                     Problems& problems) {
  if (!sources.alone || !sources.environment_file.empty()) {
    return Edition::make(runtime, capabilities, sources, Plan::Opening::kOpen, problems);
  }
  // One file has nothing that could be wrong in many places.
  TRY(auto plan, Plan::make(runtime, capabilities, *sources.alone));
  return Edition::of(std::move(plan));
}

}  // namespace

Result<int> run(const RunOptions& options, StopSignals& signals, Attendant* attendant) {
  if (auto raised = raise_open_files(); !raised && !options.quiet) {
    log::warn("weft", raised.error().message());
  }
  std::size_t count =
      options.loops != 0 ? options.loops : std::max(1U, std::thread::hardware_concurrency());
  TRY(auto runtime,
      Runtime::create({.instances_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(
                           kInstancesMax, std::uint64_t{options.limits.instances_max} * count)),
                       .cache_folder = options.cache_folder}));
  // Made last and destroyed last: what the capabilities still finish is posted to a loop.
  std::optional<Loops> loops;
  CapabilityTable capabilities = embedded_capabilities({.state_folder = state_folder(options)});
  EditionSources sources = options.sources;
  if (!options.target.empty()) sources.alone = component_of(options);
  Problems problems;
  TRY(auto edition, first_edition(*runtime, capabilities, sources, problems));
  if (edition == nullptr) {
    print_problems(problems);
    return 1;
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
  loops.emplace(Loops::Options{.count = count, .started = {}, .stopping = {}});
  signals.hold();
  auto host = Host::start(*runtime, capabilities, *loops, std::move(sources), std::move(edition),
                          {.listen = options.listen,
                           .access_log = options.access_log,
                           .admin = options.admin,
                           .otlp_endpoint = options.otlp_endpoint,
                           .http_client = options.http_client});
  Result<int> code = host ? serve(**host, *runtime, problems, options, signals, attendant)
                          : Result<int>(std::unexpected(std::move(host).error()));
  if (host) host->reset();
  loops->stop();
  return code;
}

}  // namespace weft
