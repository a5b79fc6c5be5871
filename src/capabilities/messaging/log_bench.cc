// How many messages a second the embedded log keeps, by how many publishers wait at once, and what
// SQLite takes to keep the same, each publisher in a transaction of its own.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/check.h"
#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/messaging/log_broker.h"
#include "capabilities/test_folder.h"

namespace weft::messaging {
namespace {

constexpr std::int64_t kMessages = 5'000;
constexpr std::size_t kBytes = 100;

// The embedded store, whose commits can be counted.
class Store final : public keyvalue::Backend {
 public:
  explicit Store(const std::filesystem::path& folder)
      : database(keyvalue::LmdbDatabase::open(folder).value()) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<keyvalue::Store> store(Loop& loop) override {
    return std::make_unique<keyvalue::LmdbStore>(database->view(loop));
  }

  // Shared with the stores.
  const std::shared_ptr<keyvalue::LmdbDatabase> database;
};

struct Nobody final : Receiver {
  void deliver(Delivery) override {}
};

struct Place {
  TestFolder folder;
  Loop loop;
  Store store{folder.path()};
  std::unique_ptr<Backend> backend = log_backend(store);
  std::unique_ptr<Broker> broker;
  Nobody nobody;

  Place() {
    CHECK(backend->open());
    broker = backend->broker(loop, {"app", "b"});
    // A group that is there and not brought anything: its messages are kept.
    auto queue = broker->subscribe({.group = "g", .pattern = ">"}, nobody);
    CHECK(publish_all(1, 1));
    queue->stop();
  }

  // So many publishers, each of which publishes its next message when the last one is kept.
  bool publish_all(std::int64_t publishers, std::int64_t messages) {
    std::int64_t left = messages, waiting = 0;
    bool all_kept = true;
    std::function<void()> next = [&] {
      --left;
      ++waiting;
      Message message{.topic = "orders.new", .data = Bytes(kBytes, 7)};
      auto answer = broker->publish({loop, Deadline::never()}, std::move(message));
      auto settled = std::move(answer).settle([&](Result<void> done) {
        all_kept = all_kept && done.has_value();
        --waiting;
        if (left > 0) next();
        if (waiting == 0) loop.stop();
        return Nothing();
      });
    };
    for (std::int64_t i = 0; i < publishers; ++i) next();
    loop.context().restart();
    loop.run();
    return all_kept;
  }
};

void embedded(benchmark::State& state) {
  Place place;
  auto begin = place.store.database->committer().stats();
  for (auto _ : state) CHECK(place.publish_all(state.range(0), kMessages));
  auto end = place.store.database->committer().stats();
  state.SetItemsProcessed(state.iterations() * kMessages);
  state.counters["messages_per_flush"] = static_cast<double>(state.iterations() * kMessages) /
                                         static_cast<double>(end.commits - begin.commits);
}
BENCHMARK(embedded)->Arg(1)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);

// A connection to a database in WAL mode that flushes at each commit.
class Connection {
 public:
  explicit Connection(const std::string& path) {
    CHECK(sqlite3_open(path.c_str(), &database_) == SQLITE_OK);
    sqlite3_busy_timeout(database_, 60'000);
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, topic TEXT, data BLOB)");
    CHECK(sqlite3_prepare_v2(database_, "INSERT INTO log (topic, data) VALUES (?, ?)", -1, &insert_,
                             nullptr) == SQLITE_OK);
  }
  ~Connection() {
    sqlite3_finalize(insert_);
    sqlite3_close(database_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run(const char* text) {
    CHECK(sqlite3_exec(database_, text, nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  void insert(BytesView data) {
    sqlite3_bind_text(insert_, 1, "orders.new", -1, SQLITE_STATIC);
    sqlite3_bind_blob(insert_, 2, data.data(), static_cast<int>(data.size()), SQLITE_STATIC);
    CHECK(sqlite3_step(insert_) == SQLITE_DONE);
    sqlite3_reset(insert_);
  }

 private:
  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

void sqlite_wal(benchmark::State& state) {
  TestFolder folder;
  std::string path = (folder.path() / "log.db").string();
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    connections.push_back(std::make_unique<Connection>(path));
  }
  Bytes data(kBytes, 7);
  for (auto _ : state) {
    std::atomic<std::int64_t> left = kMessages;
    std::vector<std::jthread> publishers;
    for (auto& each : connections) {
      publishers.emplace_back([&] {
        while (left.fetch_sub(1) > 0) each->insert(data);
      });
    }
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(sqlite_wal)->Arg(1)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weft::messaging

BENCHMARK_MAIN();
