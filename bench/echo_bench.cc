// echo_bench GUEST: what a call from a guest through the bridge and the door to an inline C++
// provider and back costs, in the runtime that `weft run` uses. GUEST is the codec bench's guest.
// Prints one JSON object of nanoseconds per call.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <string_view>

#include "base/check.h"
#include "base/signal.h"
#include "door/values.h"
#include "engine/guest_run.h"
#include "io/loop.h"

namespace weft {
namespace {

using Clock = std::chrono::steady_clock;

// Short runs, many of them: the best of each is one that nothing else got in the way of.
constexpr int kRunsPerRow = 200;

struct Row {
  std::string_view name;
  std::uint32_t which;
  std::uint32_t calls;
  std::uint32_t size;
};
constexpr Row kRows[] = {
    {"echo 16 B", 0, 4'000, 16}, {"echo 1 KiB", 0, 4'000, 1'024}, {"echo 602112 B", 0, 40, 602'112},
    {"get 16 B", 1, 4'000, 16},  {"record", 2, 4'000, 0},
};

// Answers echo with its argument, get with 16 bytes, info with its argument as the good case.
class Host final : public Provider {
 public:
  enum Ordinal : std::uint32_t { kEcho, kGet, kInfo };

  void begin(Call& call, Completion done) override {
    if (call.function().ordinal == kEcho) {
      return std::move(done).finish_lending(call.arguments());
    }
    Writer out(done.reply());
    switch (call.function().ordinal) {
      case kGet: out.write(std::optional<BytesView>(value_)); break;
      default: out.byte(0); out.raw(call.arguments());
    }
    std::move(done).finish();
  }

 private:
  Bytes value_ = Bytes(16, 9);
};

std::uint32_t ordinal(std::string_view name) {
  return name == "echo" ? Host::kEcho : name == "get" ? Host::kGet : Host::kInfo;
}

// Everything one loop needs to run the guest.
struct Place {
  Place(Runtime& runtime, Loop& loop, const Program& program, const LinkedProgram& linked,
        const Limits& limits)
      : engine(runtime, loop), deployment(engine, linked, program.info().functions.size()) {
    deployment.limits = limits;
    auto& host = deployment.links.keep(std::make_unique<Host>());
    std::uint32_t number = 0;
    for (const ImportedFunction& each : program.info().functions) {
      Function function{each.interface, each.name, each.signature, ordinal(each.name), each.plain};
      deployment.links.set(number++, std::make_unique<Link>(std::move(function), host));
    }
  }

  EngineLoop engine;
  Deployment deployment;
  std::unique_ptr<GuestRun> run;
};

// Runs the guest's export once, in a fresh instance; the time includes making it.
double run_ns(Loops& loops, Place& place, const Row& row, std::uint32_t calls) {
  std::promise<RunOutcome> ended;
  Clock::time_point start;
  Clock::time_point end;
  loops.on_each([&](Loop&, std::size_t) {
    Buffer arguments;
    Writer(arguments).write(std::tuple(row.which, calls, row.size));
    start = Clock::now();
    place.run =
        GuestRun::call(place.deployment, 0, arguments.view(), [&](RunOutcome outcome, BytesView) {
          end = Clock::now();
          ended.set_value(std::move(outcome));
        });
  });
  RunOutcome outcome = ended.get_future().get();
  loops.on_each([&](Loop&, std::size_t) { place.run.reset(); });
  if (!outcome.well()) {
    fmt::print(stderr, "echo_bench: {}\n", outcome.message);
    std::exit(1);
  }
  return std::chrono::duration<double, std::nano>(end - start).count();
}

Result<void> bench(const char* guest) {
  TRY(auto runtime, Runtime::create({}));
  Limits limits{.cpu = std::chrono::seconds(10)};
  TRY(auto program, runtime->load(guest, limits.memory_bytes));
  const ProgramInfo& info = program->info();
  if (info.exports.size() != 1 || info.exports[0].name != "run") {
    return failure(Errc::kInvalid, fmt::format("{}: its one export is not `run`", guest));
  }
  std::vector<bool> serve(info.functions.size(), true);
  TRY(auto linked, program->link(serve, "echo", limits, {}));
  Loops loops({.count = 1});
  std::unique_ptr<Place> place;
  loops.on_each([&](Loop& loop, std::size_t) {
    place = std::make_unique<Place>(*runtime, loop, *program, *linked, limits);
  });
  std::string_view separator = "{";
  for (const Row& row : kRows) {
    double once = 1e18;
    double all = 1e18;
    for (int i = 0; i < kRunsPerRow; ++i) {
      once = std::min(once, run_ns(loops, *place, row, 1));
      all = std::min(all, run_ns(loops, *place, row, row.calls + 1));
    }
    double best = (all - once) / row.calls;
    fmt::print("{}\"{}\": {:.1f}", std::exchange(separator, ", "), row.name, best);
  }
  fmt::print("}}\n");
  loops.on_each([&](Loop&, std::size_t) { place.reset(); });
  loops.stop();
  return {};
}

}  // namespace
}  // namespace weft

int main(int count, char** arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: {} GUEST\n", arguments[0]);
    return 2;
  }
  weft::StopSignals signals;
  signals.hold();
  if (auto done = weft::bench(arguments[1]); !done) {
    fmt::print(stderr, "echo_bench: {}\n", done.error().message());
    return 1;
  }
  return 0;
}
