// echo_bench GUEST [CALLEE]: what a call from a guest through the bridge and the door to an inline
// C++ provider and back costs, in the runtime that `weft run` uses; with CALLEE (callee.wat) what
// it costs to another component. GUEST is the codec bench's guest, or one that was composed with
// its callee and imports nothing. Prints one JSON object of nanoseconds per call.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "base/signal.h"
#include "door/values.h"
#include "engine/component_provider.h"
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

// A component, loaded and linked with everything that it imports served.
struct Guest {
  static Result<Guest> load(Runtime& runtime, const char* file, const Limits& limits) {
    Guest guest;
    TRY(guest.program, runtime.load(file, limits.memory_bytes));
    std::vector<bool> serve(guest.program->info().functions.size(), true);
    TRY(guest.linked, guest.program->link(serve, file, limits, {}));
    return guest;
  }
  std::unique_ptr<Deployment> deploy(EngineLoop& engine, const Limits& limits) const {
    auto deployment =
        std::make_unique<Deployment>(engine, *linked, program->info().functions.size());
    deployment->limits = limits;
    return deployment;
  }
  const ProgramInfo& info() const { return program->info(); }

  std::unique_ptr<Program> program;
  std::unique_ptr<LinkedProgram> linked;
};

std::uint32_t export_of(const ProgramInfo& info, std::string_view name) {
  for (std::uint32_t i = 0; i < info.exports.size(); ++i) {
    if (info.exports[i].name == name) return i;
  }
  CHECK(false && "the callee has no such export");
}

// Everything one loop needs to run the guest.
struct Place {
  Place(Runtime& runtime, Loop& loop, const Guest& guest, const Guest* other, const Limits& limits)
      : engine(runtime, loop),
        callee(other != nullptr ? other->deploy(engine, limits) : nullptr),
        deployment(guest.deploy(engine, limits)) {
    const auto& functions = guest.info().functions;
    Provider& provider = other == nullptr ? deployment->links.keep(std::make_unique<Host>())
                                          : linked(functions, *other);
    for (std::uint32_t i = 0; i < functions.size(); ++i) {
      const ImportedFunction& each = functions[i];
      std::uint32_t number = other == nullptr ? ordinal(each.name) : i;
      Function function{each.interface, each.name, each.signature, number, each.plain};
      deployment->links.set(i, std::make_unique<Link>(std::move(function), provider));
    }
  }

  Provider& linked(const std::vector<ImportedFunction>& functions, const Guest& other) {
    std::vector<ComponentProvider::Export> exports;
    for (const ImportedFunction& each : functions) {
      exports.push_back(*ComponentProvider::find(other.info(), export_of(other.info(), each.name)));
    }
    return deployment->links.keep(std::make_unique<ComponentProvider>(*callee, std::move(exports)));
  }

  EngineLoop engine;
  std::unique_ptr<Deployment> callee;  // Null: what the guest imports is the host's.
  std::unique_ptr<Deployment> deployment;
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
        GuestRun::call(*place.deployment, 0, arguments.view(), [&](RunOutcome outcome, BytesView) {
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

Result<void> bench(const char* file, const char* callee_file) {
  TRY(auto runtime, Runtime::create({}));
  Limits limits{.cpu = std::chrono::seconds(10)};
  TRY(Guest guest, Guest::load(*runtime, file, limits));
  std::optional<Guest> callee;
  if (callee_file != nullptr) {
    TRY(callee, Guest::load(*runtime, callee_file, limits));
  }
  const ProgramInfo& info = guest.info();
  if (info.exports.size() != 1 || info.exports[0].name != "run") {
    return failure(Errc::kInvalid, fmt::format("{}: its one export is not `run`", file));
  }
  Loops loops({.count = 1});
  std::unique_ptr<Place> place;
  loops.on_each([&](Loop& loop, std::size_t) {
    place = std::make_unique<Place>(*runtime, loop, guest, callee ? &*callee : nullptr, limits);
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
  if (count != 2 && count != 3) {
    fmt::print(stderr, "usage: {} GUEST [CALLEE]\n", arguments[0]);
    return 2;
  }
  weft::StopSignals signals;
  signals.hold();
  if (auto done = weft::bench(arguments[1], count == 3 ? arguments[2] : nullptr); !done) {
    fmt::print(stderr, "echo_bench: {}\n", done.error().message());
    return 1;
  }
  return 0;
}
