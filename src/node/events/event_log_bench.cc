// How many events a second the log makes durable: by how many threads append, each event told of by
// a callback, and what one costs whoever appends it. Beside it the floor: as many bytes written and
// flushed in pieces as large as the log's, and what a start takes to check a folder.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "base/check.h"
#include "capabilities/test_folder.h"
#include "node/events/files.h"
#include "node/events/segment.h"
#include "node/events/testing.h"

namespace weft::node::events {
namespace {

constexpr std::uint64_t kEvents = 200'000;

const PublicKey kNode = testing::key_of('n').public_key();

Event call_event() {
  Event event = testing::some_event(1);
  event.group = "friends";
  return event;
}

// From threads that do not wait for the disk, while there is room.
void durable(benchmark::State& state) {
  auto threads = static_cast<std::uint64_t>(state.range(0));
  TestFolder place;
  auto log = EventLog::open(place.path() / "events", kNode).value();
  std::atomic<std::uint64_t> cpu{0};
  std::atomic<std::uint64_t> told{0};
  for (auto _ : state) {
    std::uint64_t before = log->durable();
    std::vector<std::jthread> all;
    for (std::uint64_t t = 0; t < threads; ++t) {
      all.emplace_back([&] {
        Event event = call_event();
        for (std::uint64_t i = 0; i < kEvents / threads; ++i) {
          auto room = log->reserve();
          while (!room) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            room = log->reserve();
          }
          CHECK(log->append(event, *std::move(room),
                            [&](const Result<void>& outcome) {
                              if (outcome) told.fetch_add(1, std::memory_order_relaxed);
                            })
                    .has_value());
          cpu.fetch_add(event.usage.cpu_ns, std::memory_order_relaxed);
        }
      });
    }
    all.clear();
    CHECK(log->wait(before + kEvents / threads * threads, Deadline::never()).has_value());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kEvents));
  std::uint64_t last = log->durable();
  log.reset();
  CHECK(told == last);
  auto reader = EventReader::open(place.path() / "events").value();
  std::uint64_t sum = 0;
  for (;;) {
    auto event = reader.next().value();
    if (!event) break;
    sum += event->usage.cpu_ns;
  }
  CHECK(sum == cpu && reader.position() == last + 1);
}
BENCHMARK(durable)->Arg(1)->Arg(4)->UseRealTime()->Unit(benchmark::kMillisecond);

// Somebody who waits for each event before the next: one flush each.
void one_by_one(benchmark::State& state) {
  TestFolder place;
  auto log = EventLog::open(place.path() / "events", kNode).value();
  Event event = call_event();
  for (auto _ : state) CHECK(log->wait(log->append(event).value(), Deadline::never()).has_value());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(one_by_one)->UseRealTime()->Unit(benchmark::kMicrosecond);

// What a caller pays, the writer's thread aside.
void append_alone(benchmark::State& state) {
  TestFolder place;
  auto log = EventLog::open(place.path() / "events", kNode).value();
  Event event = call_event();
  for (auto _ : state) {
    auto done = log->append(event);
    if (done) continue;
    state.PauseTiming();
    CHECK(log->wait(log->durable() + 1, Deadline::never()).has_value());
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_alone)->Unit(benchmark::kMicrosecond);

// As many bytes, in pieces of `range` events, each flushed.
void plain_write(benchmark::State& state) {
  TestFolder place;
  Bytes frame;
  append_frame(frame, call_event());
  Bytes piece(frame.size() * static_cast<std::size_t>(state.range(0)), 7);
  std::filesystem::path path = place.path() / "plain";
  Fd file = open_file(path, O_WRONLY | O_CREAT).value();
  std::uint64_t offset = 0;
  for (auto _ : state) {
    CHECK(write_at(file.get(), piece, offset, path).has_value());
    CHECK(flush(file.get(), path).has_value());
    offset += piece.size();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(plain_write)
    ->Arg(1)
    ->Arg(1'000)
    ->Arg(20'000)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// A start over so many events.
void open_and_check(benchmark::State& state) {
  TestFolder place;
  testing::append_until(*EventLog::open(place.path() / "events", kNode).value(), 1);
  {
    auto log = EventLog::open(place.path() / "events", kNode).value();
    Event event = call_event();
    for (std::uint64_t i = 1; i < kEvents;) {
      if (log->append(event)) {
        ++i;
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
  for (auto _ : state) CHECK(EventLog::open(place.path() / "events", kNode).has_value());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kEvents));
}
BENCHMARK(open_and_check)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weft::node::events

BENCHMARK_MAIN();
