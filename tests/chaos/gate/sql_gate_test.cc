// Every SQL driver with a server through every fault: what was committed is there, nothing was done
// twice, and no transaction is there by half.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <tuple>

#include "capabilities/sql/backend.h"
#include "capabilities/sql/drivers/mysql/mysql.h"
#include "capabilities/sql/drivers/mysql/server.h"
#include "capabilities/sql/drivers/postgres/postgres.h"
#include "capabilities/sql/drivers/postgres/server.h"
#include "capabilities/sql/testing.h"
#include "gate.h"

namespace weft::sql {
namespace {

using gate::Fault;
using gate::Way;
using Driver = gate::Driver<Backend>;

class Postgres final : public gate::Server {
 public:
  std::uint16_t port() const override { return server_->port(); }
  void kill() override { server_->stop(); }
  void start() override { CHECK(server_->run().has_value()); }
  void freeze() override { server_->freeze(); }
  void thaw() override { server_->thaw(); }

 private:
  std::unique_ptr<postgres::PostgresServer> server_ = postgres::PostgresServer::start().value();
};

std::unique_ptr<Backend> postgres_at(std::uint16_t port) {
  postgres::Settings settings;
  settings.url = Secret(fmt::format("postgresql://weft@127.0.0.1:{}/postgres", port));
  return postgres::postgres_backend(std::move(settings));
}

class Mariadb final : public gate::Server {
 public:
  std::uint16_t port() const override { return server_->port(); }
  void kill() override { server_->stop(); }
  void start() override { CHECK(server_->run().has_value()); }
  void freeze() override { server_->freeze(); }
  void thaw() override { server_->thaw(); }

 private:
  std::unique_ptr<mysql::MariadbServer> server_ = mysql::MariadbServer::start().value();
};

std::unique_ptr<Backend> mysql_at(std::uint16_t port) {
  return mysql::mysql_backend(
      {.host = "127.0.0.1", .port = port, .user = "weft", .database = "gate"});
}

template <class T>
T must(Or<T> outcome) {
  if (!outcome) ADD_FAILURE() << to_text(outcome.error());
  CHECK(outcome.has_value());
  return *std::move(outcome);
}

// As gate::tells_of_fault. A transaction that was in the way of one of a connection that broke may
// be told of a conflict.
bool tells_of_fault(const Failure& failure) {
  return failure.is<Failure::Unavailable>() || failure.is<Failure::Timeout>() ||
         failure.is<Failure::Busy>() || failure.is<Failure::Limit>() ||
         failure.is<Failure::Conflict>() || failure.is<Failure::Ended>();
}

// Each of its transactions adds a row to `entry` and one to its total in `account`.
class Worker {
 public:
  Worker(Loop& loop, Backend& backend, int number)
      : number_(number), loop_(loop), store_(backend.store(loop_)) {
    database_ = must(gate::when_well(
        [this] { return await(loop_, store_->open(request(gate::kRecovery), {"app", "gate"})); }));
    for (std::string_view text :
         {"CREATE TABLE IF NOT EXISTS entry (id BIGINT PRIMARY KEY, worker BIGINT NOT NULL)",
          "CREATE TABLE IF NOT EXISTS account (worker BIGINT PRIMARY KEY, total BIGINT NOT "
          "NULL)"}) {
      must(run(*database_, std::string(text), {}, gate::kRecovery));
    }
    must(run(*database_, "INSERT INTO account VALUES (?, 0)", {me()}, gate::kRecovery));
  }

  // Whether it was acknowledged.
  bool transfer() {
    std::int64_t id = number_ * 1'000'000 + ++writes_;
    Or<void> done = transaction(id, Deadline::after(gate::kDeadline));
    count_.add(done.has_value());
    if (done) {
      committed_.push_back(id);
    } else {
      EXPECT_TRUE(tells_of_fault(done.error())) << to_text(done.error());
    }
    return done.has_value();
  }
  bool well() { return run(*database_, "SELECT 1", {}, gate::kDeadline).has_value(); }
  void look() {
    EXPECT_EQ(ask("SELECT total - (SELECT COUNT(*) FROM entry e WHERE e.worker = a.worker) "
                  "FROM account a WHERE worker = ?",
                  me()),
              0);
    count_.check(ask("SELECT COUNT(*) FROM entry WHERE worker = ?", me()));
    for (std::int64_t id : committed_) {
      EXPECT_EQ(ask("SELECT COUNT(*) FROM entry WHERE id = ?", Value::integer(id)), 1) << id;
    }
  }

 private:
  Value me() const { return Value::integer(number_); }
  Request request(std::chrono::milliseconds time) { return {loop_, Deadline::after(time)}; }

  Or<Outcome> run(Runner& runner, std::string text, std::vector<Value> parameters,
                  std::chrono::milliseconds time) {
    return await(
        loop_, runner.run(request(time), {std::move(text), std::move(parameters)}, Wanted::kRows));
  }
  // All of it by one deadline.
  Or<void> transaction(std::int64_t id, Deadline deadline) {
    Request request{loop_, deadline};
    auto begun =
        await(loop_, database_->begin(request, {Isolation::kReadCommitted, Access::kReadWrite}));
    if (!begun) return std::unexpected(begun.error());
    for (Statement statement :
         {Statement{"INSERT INTO entry VALUES (?, ?)", {Value::integer(id), me()}},
          Statement{"UPDATE account SET total = total + 1 WHERE worker = ?", {me()}}}) {
      auto done = await(loop_, (*begun)->run(request, std::move(statement), Wanted::kCount));
      if (!done) return std::unexpected(done.error());
    }
    return await(loop_, (*begun)->commit(request));
  }
  // A query's one number.
  std::int64_t ask(std::string text, Value parameter) {
    Outcome outcome =
        must(run(*database_, std::move(text), {std::move(parameter)}, gate::kRecovery));
    return std::get<Value::Integer>(outcome.set.rows.at(0).at(0).variant).value;
  }

  int number_;
  int writes_ = 0;
  gate::Count count_;
  std::vector<std::int64_t> committed_;
  Loop& loop_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Database> database_;
};

class SqlGate : public ::testing::TestWithParam<std::tuple<Driver, Fault>> {};

TEST_P(SqlGate, KeepsTransactionsWholeAndOnce) {
  const auto& [driver, fault] = GetParam();
  Way way(driver.start());
  // They outlive the backend, whose threads answer to them.
  std::array<Loop, gate::kWorkers> loops;
  std::unique_ptr<Backend> backend = driver.backend(way.port());
  ASSERT_TRUE(backend->open().has_value());
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < gate::kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(loops[i], *backend, i));
    for (int round = 0; round < 5; ++round) {
      ASSERT_TRUE(gate::recovers([&] { return workers.back()->transfer(); }));
    }
  }

  way.begin(fault);
  gate::on_each_worker(
      [&](int i) { gate::call_for_a_while(way, fault, [&] { workers[i]->transfer(); }); });
  way.end(fault);
  for (const auto& worker : workers) {
    EXPECT_TRUE(gate::recovers([&] { return worker->well(); }));
    worker->look();
  }
}

INSTANTIATE_TEST_SUITE_P(
    drivers, SqlGate,
    ::testing::Combine(::testing::Values(Driver{"postgres",
                                                []() -> std::unique_ptr<gate::Server> {
                                                  return std::make_unique<Postgres>();
                                                },
                                                postgres_at},
                                         Driver{"mysql",
                                                []() -> std::unique_ptr<gate::Server> {
                                                  return std::make_unique<Mariadb>();
                                                },
                                                mysql_at}),
                       ::testing::ValuesIn(gate::kFaults)),
    [](const auto& each) {
      return std::get<0>(each.param).name + "_" + std::string(std::get<1>(each.param).name);
    });

}  // namespace
}  // namespace weft::sql
