#include "cli/run.h"

#include <fmt/format.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/console.h"
#include "base/limits.h"
#include "base/log.h"
#include "engine/guest_run.h"
#include "io/http/server.h"
#include "triggers/http/guest_handler.h"

namespace weft {

namespace {

// How long requests in flight may take to finish after a signal.
constexpr std::chrono::seconds kDrainMax{30};
// How often that wait looks for a second signal.
constexpr std::chrono::milliseconds kDrainLook{50};

// What one loop of a serving process owns, made and destroyed on its thread.
struct ServingLoop {
  ServingLoop(Runtime& runtime, Loop& loop, const Plan& plan, AccessLogFile* file)
      : engine(runtime, loop), deployment(plan.deploy(engine)) {
    if (file != nullptr) log = std::make_unique<AccessLog>(loop, *file);
    handler = std::make_unique<GuestHandler>(*deployment, plan.info().kind, log.get());
  }

  EngineLoop engine;
  std::unique_ptr<Deployment> deployment;
  std::unique_ptr<AccessLog> log;
  std::unique_ptr<GuestHandler> handler;
};

Result<int> run_command(Runtime& runtime, const Plan& plan, Loops& loops, StopSignals& signals) {
  std::mutex mutex;
  std::optional<RunOutcome> outcome;
  std::unique_ptr<EngineLoop> engine;
  std::unique_ptr<Deployment> deployment;
  std::unique_ptr<GuestRun> guest;
  signals.hold();
  loops.on_each([&](Loop& loop, std::size_t) {
    engine = std::make_unique<EngineLoop>(runtime, loop);
    deployment = plan.deploy(*engine);
    guest = GuestRun::command(*deployment, [&](RunOutcome ended, BytesView) {
      std::lock_guard lock(mutex);
      outcome = std::move(ended);
      signals.interrupt();
    });
  });
  std::optional<int> signal = signals.wait();
  loops.on_each([&](Loop&, std::size_t) {
    guest.reset();
    deployment.reset();
    engine.reset();
  });
  loops.stop();
  std::lock_guard lock(mutex);
  if (!outcome) return 128 + signal.value_or(0);
  if (outcome->well()) return outcome->exit_code;
  return failure(Errc::kTrap, outcome->message);
}

// Waits for the requests in flight. A second signal ends the wait: nobody has to watch the process
// for kDrainMax, or to kill it.
Result<void> drain(HttpServer& server, StopSignals& signals) {
  Deadline end = Deadline::after(kDrainMax);
  for (;;) {
    auto drained = server.drain(earlier(end, Deadline::after(kDrainLook)));
    if (drained || end.passed()) return drained;
    if (signals.wait(Deadline::after({}))) {
      return std::unexpected(std::move(drained).error().within("stopped by a second signal"));
    }
  }
}

Result<int> serve(Runtime& runtime, const Plan& plan, const RunOptions& options, Loops& loops,
                  StopSignals& signals) {
  std::unique_ptr<AccessLogFile> log_file;
  if (!options.access_log.empty()) {
    TRY(log_file, AccessLogFile::open(options.access_log));
  }
  std::vector<std::unique_ptr<ServingLoop>> serving(loops.size());
  loops.on_each([&](Loop& loop, std::size_t index) {
    serving[index] = std::make_unique<ServingLoop>(runtime, loop, plan, log_file.get());
  });
  auto tear_down = [&] {
    loops.on_each([&](Loop&, std::size_t index) { serving[index].reset(); });
    loops.stop();
  };
  std::vector<HttpHandler*> handlers;
  handlers.reserve(serving.size());
  for (const auto& each : serving) handlers.push_back(each->handler.get());
  signals.hold();
  auto server = HttpServer::listen(
      loops, handlers, {.addresses = {{.address = options.address, .port = options.port}}});
  if (!server) {
    tear_down();
    return std::unexpected(std::move(server).error());
  }
  say((*server)->url());
  std::string note = runtime.fallback_note();
  if (!options.quiet && !note.empty()) log::warn("engine", note);
  signals.wait();
  if (!options.quiet) log::info("weft", "stopping: requests in flight are finished first");
  if (auto drained = drain(**server, signals); !drained) {
    log::warn("weft", drained.error().message());
  }
  server->reset();
  tear_down();
  return 0;
}

}  // namespace

Result<int> run(const RunOptions& options, StopSignals& signals) {
  if (auto raised = raise_open_files(); !raised && !options.quiet) {
    log::warn("weft", raised.error().message());
  }
  TRY(auto runtime, Runtime::create({.cache_folder = options.cache_folder}));
  // Made last and destroyed last: what the capabilities still finish is posted to a loop.
  std::optional<Loops> loops;
  CapabilityTable capabilities = embedded_capabilities({.state_folder = options.state_folder});
  Plan::Component component{
      .app = std::filesystem::path(options.target).stem(),
      .name = std::filesystem::path(options.target).stem(),
      .file = options.target,
      .cpu = options.cpu,
      .time = options.time,
      .limits = options.limits,
      .grants = options.grants,
      .use = {.any_name = true, .names = {}, .values = {}},
  };
  TRY(auto plan, Plan::make(*runtime, capabilities, std::move(component)));
  switch (plan->info().kind) {
    case ProgramKind::kCommand02:
    case ProgramKind::kCommand03:
      loops.emplace(Loops::Options{.count = 1, .started = {}, .stopping = {}});
      return run_command(*runtime, *plan, *loops, signals);
    case ProgramKind::kHttp02:
    case ProgramKind::kHttp03: {
      std::size_t count = options.loops != 0 ? options.loops : std::thread::hardware_concurrency();
      loops.emplace(
          Loops::Options{.count = std::max<std::size_t>(count, 1), .started = {}, .stopping = {}});
      return serve(*runtime, *plan, options, *loops, signals);
    }
    case ProgramKind::kLibrary: break;
  }
  return failure(
      Errc::kUnsupported,
      fmt::format("{}: it exports neither wasi:cli/run nor wasi:http's handler, so there "
                  "is nothing to run",
                  options.target));
}

}  // namespace weft
