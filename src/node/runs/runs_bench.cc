// What a run costs beside the guest: a warm call of a function in a fresh instance, by itself and
// through Runs, with and without the receipt that is signed.
#include <benchmark/benchmark.h>

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/deployments.h"
#include "base/check.h"
#include "door/values.h"
#include "engine/guest_run.h"
#include "io/loop.h"
#include "node/runs/resources.h"
#include "node/runs/runs.h"

namespace weft::node::runs {
namespace {

constexpr std::string_view kAdder = R"((component
  (core module $main
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $main (instantiate $main))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $main "add"))))
)";

Bytes one_and_two() {
  Buffer buffer;
  Writer writer(buffer);
  writer.write(std::uint32_t{1});
  writer.write(std::uint32_t{2});
  CHECK(writer.end());
  return {buffer.view().begin(), buffer.view().end()};
}

struct Place {
  Place() {
    std::ofstream(file) << kAdder;
    std::vector<std::unique_ptr<Capability>> all;
    all.push_back(std::make_unique<ResourcesCapability>());
    capabilities = CapabilityTable(std::move(all));
    plans.emplace(*runtime, capabilities);
    plans->make(module, file, "us", loop, [this](ModulePlans::Made made) {
      CHECK(made.plan);
      plan = *made.plan;
    });
    while (plan == nullptr) turn();
  }
  ~Place() { std::filesystem::remove(file); }
  void turn() {
    loop.context().restart();
    loop.context().run_one();
  }

  const std::string file = std::filesystem::temp_directory_path() / "weft_runs_bench.wat";
  const Hash module = Hash::of(as_bytes(kAdder));
  std::unique_ptr<Runtime> runtime = *Runtime::create({});
  Loop loop;
  EngineLoop engine{*runtime, loop};
  CapabilityTable capabilities;
  std::optional<ModulePlans> plans;
  ModulePlans::PlanPtr plan;
  const SigningKey node = SigningKey::random();
  const Bytes arguments = one_and_two();
};

Place& place() {
  static auto* made = new Place();
  return *made;
}

void guest_alone(benchmark::State& state) {
  Place& here = place();
  static const std::vector<std::unique_ptr<Plan>> kNone;
  auto deployment = here.plan->deploy(here.engine, Deployments(kNone, here.engine), nullptr);
  for (auto _ : state) {
    bool over = false;
    auto run = GuestRun::call(*deployment, 0, here.arguments,
                              [&](RunOutcome outcome, BytesView) { over = outcome.well(); });
    while (!over) here.turn();
  }
}
BENCHMARK(guest_alone);

void guest_of_its_own(benchmark::State& state) {
  Place& here = place();
  static const std::vector<std::unique_ptr<Plan>> kNone;
  auto deployment = here.plan->deploy(here.engine, Deployments(kNone, here.engine), nullptr);
  for (auto _ : state) {
    bool over = false;
    Limits limits = deployment->limits;
    limits.cpu = std::chrono::seconds(1);
    auto run = GuestRun::call(*deployment, 0, here.arguments,
                              {.program = deployment->program.with(limits, {})},
                              [&](RunOutcome outcome, BytesView) { over = outcome.well(); });
    while (!over) here.turn();
  }
}
BENCHMARK(guest_of_its_own);

void run_call(benchmark::State& state, bool signs) {
  Place& here = place();
  Runs runs(here.engine, *here.plans, here.node);
  std::uint64_t number = 0;
  for (auto _ : state) {
    RunOrder order;
    ++number;
    std::memcpy(order.name.bytes.data(), &number, sizeof number);
    order.module = here.module;
    order.file = here.file;
    order.function = "add";
    order.arguments = here.arguments;
    order.group = "us";
    Hash name = order.name;
    order.ended = [&](const RunEnd& end) {
      Bytes receipt(300);
      if (signs) {
        receipt = sign(
            Receipt{.request = name, .usage = end.usage, .frames = end.frames, .chain = end.chain},
            here.node);
      }
      CHECK(runs.close(name, receipt));
    };
    CHECK(runs.begin(std::move(order)));
    auto reader = *runs.read(name, 0, [] {});
    while (!reader->over()) {
      if (reader->next() == nullptr) here.turn();
    }
  }
}
BENCHMARK_CAPTURE(run_call, unsigned, false);
BENCHMARK_CAPTURE(run_call, signed, true);

}  // namespace
}  // namespace weft::node::runs

BENCHMARK_MAIN();
