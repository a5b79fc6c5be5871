// How long the embedded key-value driver takes: a get by itself, and sets by how many wait at once.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "base/fd.h"
#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/test_folder.h"

namespace weft::keyvalue {
namespace {

struct Place {
  TestFolder folder;
  Loop loop;
  std::shared_ptr<LmdbDatabase> database = LmdbDatabase::open(folder.path()).value();
  Request request{loop, Deadline::never()};
  std::unique_ptr<Bucket> bucket =
      *await(loop, LmdbStore(database->view(loop)).open(request, {"app", "b"}));

  std::vector<std::string> fill(std::size_t count, std::size_t value_bytes) {
    Bytes value(value_bytes, 7);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) keys.push_back(fmt::format("key-{:012}", i));
    for (std::size_t from = 0; from < count; from += 10'000) {
      std::vector<Pair> pairs;
      for (std::size_t i = from; i < std::min(count, from + 10'000); ++i) {
        pairs.emplace_back(keys[i], value);
      }
      CHECK(await(loop, bucket->set_many(request, pairs)).has_value());
    }
    return keys;
  }
};

// Random 16-byte keys out of so many.
void get(benchmark::State& state) {
  Place place;
  auto keys = place.fill(static_cast<std::size_t>(state.range(0)), 16);
  std::mt19937_64 chance(1);
  std::vector<std::size_t> order(4096);
  for (auto& index : order) index = chance() % keys.size();
  std::size_t i = 0;
  for (auto _ : state) {
    auto value = place.bucket->get(place.request, keys[order[i++ % order.size()]]);
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(get)->Arg(1)->Arg(1000)->Arg(1'000'000);

void get_absent(benchmark::State& state) {
  Place place;
  place.fill(1000, 16);
  for (auto _ : state) {
    auto value = place.bucket->get(place.request, "key-absent-00000");
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(get_absent);

// So many sets are under way at any time, as if that many guests waited for one each.
void set(benchmark::State& state) {
  Place place;
  auto keys = place.fill(10'000, 100);
  Bytes value(100, 9);
  std::mt19937_64 chance(1);
  auto begin = place.database->committer().stats();
  std::vector<Answer<void>> waiting;
  for (auto _ : state) {
    waiting.push_back(place.bucket->set(place.request, keys[chance() % keys.size()], value));
    if (waiting.size() < static_cast<std::size_t>(state.range(0))) continue;
    for (auto& answer : waiting) CHECK(await(place.loop, std::move(answer)).has_value());
    waiting.clear();
  }
  for (auto& answer : waiting) CHECK(await(place.loop, std::move(answer)).has_value());
  auto end = place.database->committer().stats();
  state.SetItemsProcessed(state.iterations());
  state.counters["writes_per_flush"] = static_cast<double>(end.writes - begin.writes) /
                                       static_cast<double>(end.commits - begin.commits);
}
BENCHMARK(set)->Arg(1)->Arg(32)->Arg(256)->Arg(4096)->UseRealTime();

// So many writers, each of which sets the next value as soon as its last one is durable.
void writers(benchmark::State& state) {
  Place place;
  auto keys = place.fill(10'000, 100);
  Bytes value(100, 9);
  std::mt19937_64 chance(1);
  auto begin = place.database->committer().stats();
  std::int64_t left = 0;
  std::int64_t waiting = 0;
  std::function<void()> next = [&] {
    --left;
    ++waiting;
    auto answer = place.bucket->set(place.request, keys[chance() % keys.size()], value);
    auto settled = std::move(answer).settle([&](Result<void> done) {
      CHECK(done.has_value());
      --waiting;
      if (left > 0) next();
      if (waiting == 0) place.loop.stop();
      return Nothing();
    });
  };
  constexpr std::int64_t kWrites = 5'000;
  for (auto _ : state) {
    left = kWrites;
    for (std::int64_t i = 0; i < state.range(0); ++i) next();
    place.loop.context().restart();
    place.loop.run();
  }
  auto end = place.database->committer().stats();
  state.SetItemsProcessed(state.iterations() * kWrites);
  state.counters["writes_per_flush"] = static_cast<double>(end.writes - begin.writes) /
                                       static_cast<double>(end.commits - begin.commits);
}
BENCHMARK(writers)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);

// A file that is as long already, of which pages are written and flushed.
class Pages {
 public:
  Pages() : file_(::open((folder_.path() / "pages").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    CHECK(file_.get() >= 0);
    for (int i = 0; i < kPages; ++i) write(i);
    flush();
  }
  void write_any() { write(static_cast<int>(chance_() % kPages)); }
  void flush() { CHECK(::fdatasync(file_.get()) == 0); }

 private:
  static constexpr int kPages = 1024;

  void write(int number) {
    CHECK(::pwrite(file_.get(), page_.data(), page_.size(), number * 4096L) == 4096);
  }

  TestFolder folder_;
  Fd file_;
  Bytes page_ = Bytes(4096, 1);
  std::mt19937_64 chance_{1};
};

void flush(benchmark::State& state) {
  Pages pages;
  for (auto _ : state) {
    pages.write_any();
    pages.flush();
  }
}
BENCHMARK(flush)->UseRealTime()->Unit(benchmark::kMicrosecond);

// What a commit of so many keys that lie apart cannot be quicker than: their pages, and the one
// that makes them valid once those are there.
void commit_floor(benchmark::State& state) {
  Pages pages;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) pages.write_any();
    pages.flush();
    pages.write_any();
    pages.flush();
  }
}
BENCHMARK(commit_floor)->Arg(64)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weft::keyvalue

BENCHMARK_MAIN();
