// Shows what becomes of statements on the drivers for servers when the server or the way to it
// fails: a typed error in time, nothing acknowledged lost, nothing done twice, recovery by itself.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "capabilities/sql/conformance.h"
#include "capabilities/sql/drivers/mysql/mysql.h"
#include "capabilities/sql/drivers/mysql/server.h"
#include "capabilities/sql/drivers/postgres/postgres.h"
#include "capabilities/sql/drivers/postgres/server.h"
#include "remote/health.h"
#include "remote/testing/fault_proxy.h"

namespace weft::sql::pooled {
namespace {

using remote::FaultProxy;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Fault = FaultProxy::Fault;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A driver with a real server of its system, one for all tests.
struct Pooled {
  std::string name;
  std::function<std::uint16_t()> port;
  std::function<void()> restart;  // At once, as after a crash.
  // By another port; `unique` tells a test's tables from those of the others.
  std::function<std::unique_ptr<Backend>(std::uint16_t port, const std::string& unique)> make;
};

class Faults : public ::testing::TestWithParam<Pooled> {
 protected:
  Faults() {
    static int tests = 0;
    unique_ = fmt::format("faults{}", ++tests);
    proxy_ = std::make_unique<FaultProxy>(GetParam().port());
    backend_ = GetParam().make(proxy_->port(), unique_);
    CHECK(backend_->open().has_value());
    store_ = backend_->store(loop_);
    database_ = must(await(loop_, store_->open(soon(), {"app", "orders"})));
    EXPECT_EQ(execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT NOT NULL)"), "0");
    EXPECT_EQ(execute("INSERT INTO t VALUES (1, 0)"), "1");
  }

  Request soon(milliseconds time = seconds(20)) { return {loop_, Deadline::after(time)}; }
  std::string execute(std::string text, milliseconds time = seconds(20)) {
    return count(await(loop_, database_->run(soon(time), {std::move(text)}, Wanted::kCount)));
  }
  std::string count(const Or<Outcome>& outcome) {
    return outcome ? fmt::format("{}", outcome->affected) : show(outcome);
  }
  std::string n(milliseconds time = seconds(20)) {
    return show(
        await(loop_, database_->run(soon(time), {"SELECT n FROM t WHERE id = 1"}, Wanted::kRows)));
  }
  // Tries until the server is there again.
  std::string n_at_last() {
    Deadline limit = Deadline::after(seconds(30));
    std::string said = n();
    while (said.starts_with("!") && !limit.passed()) said = n();
    return said;
  }

  Loop loop_;  // Outlives the backend.
  std::string unique_;
  std::unique_ptr<FaultProxy> proxy_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Database> database_;
};

constexpr const char* kAdd = "UPDATE t SET n = n + 1 WHERE id = 1";

TEST_P(Faults, sliced_delayed_and_throttled_bytes_are_the_same_bytes) {
  EXPECT_EQ(execute("CREATE TABLE s (t TEXT)"), "0");
  std::string large(20'000, 'x');
  large[10'000] = '\'';
  for (Fault fault : {Fault::kSlice, Fault::kDelay, Fault::kThrottle}) {
    proxy_->set(fault);
    EXPECT_EQ(execute("DELETE FROM s").substr(0, 1), fault == Fault::kSlice ? "0" : "1");
    EXPECT_EQ(count(await(loop_,
                          database_->run(soon(), {"INSERT INTO s VALUES (?)", {Value::text(large)}},
                                         Wanted::kCount))),
              "1");
    EXPECT_EQ(show(await(loop_, database_->run(soon(), {"SELECT t FROM s"}, Wanted::kRows))),
              "t / '" + large + "'");
  }
}

TEST_P(Faults, a_new_connection_is_made_through_sliced_and_delayed_bytes) {
  for (Fault fault : {Fault::kSlice, Fault::kDelay}) {
    proxy_->set(Fault::kRefuse);  // Closes those that are there.
    EXPECT_THAT(n(), StartsWith("! unavailable"));
    proxy_->set(fault);
    EXPECT_EQ(n_at_last(), "n / 0");
  }
}

TEST_P(Faults, a_refused_connection_is_told_soon_and_recovers_by_itself) {
  proxy_->set(Fault::kRefuse);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(n(), StartsWith("! unavailable"));
  EXPECT_LT(Deadline::Clock::now() - start, seconds(10));
  EXPECT_THAT(n(), StartsWith("! unavailable"));
  // Nobody waits any more.
  start = Deadline::Clock::now();
  EXPECT_THAT(n(), StartsWith("! unavailable"));
  EXPECT_LT(Deadline::Clock::now() - start, milliseconds(800));
  proxy_->set(Fault::kNone);
  EXPECT_EQ(n_at_last(), "n / 0");
}

TEST_P(Faults, a_stalled_server_holds_nobody_beyond_the_deadline) {
  proxy_->set(Fault::kStall);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(execute(kAdd, milliseconds(200)),
              AnyOf(StartsWith("! timeout"), StartsWith("! unav")));
  // A connection that has to be made stalls as well.
  EXPECT_THAT(n(milliseconds(200)), AnyOf(StartsWith("! timeout"), StartsWith("! unavailable")));
  EXPECT_LT(Deadline::Clock::now() - start, seconds(20));
  proxy_->set(Fault::kNone);
  EXPECT_THAT(n_at_last(), AnyOf("n / 0", "n / 1"));
  EXPECT_EQ(execute("UPDATE t SET n = 7"), "1");
  EXPECT_EQ(n(), "n / 7");
}

TEST_P(Faults, a_statement_whose_answer_is_lost_is_not_sent_again) {
  int at_least = 0;
  for (int round = 1; round <= 6; ++round) {
    proxy_->set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    auto said = execute(kAdd);
    proxy_->set(Fault::kNone);
    ASSERT_THAT(said, StartsWith("! unavailable"));
    EXPECT_THAT(said, HasSubstr("not known"));
    auto now = n_at_last();
    ASSERT_THAT(now, AnyOf(fmt::format("n / {}", at_least), fmt::format("n / {}", at_least + 1)));
    at_least = std::stoi(now.substr(4));
  }
}

TEST_P(Faults, a_transaction_that_is_cut_leaves_nothing_half_done) {
  for (Fault fault : {Fault::kCut, Fault::kCutAsked, Fault::kRefuse}) {
    auto transaction = must(
        await(loop_, database_->begin(soon(), {Isolation::kReadCommitted, Access::kReadWrite})));
    EXPECT_EQ(count(await(loop_, transaction->run(soon(), {kAdd}, Wanted::kCount))), "1");
    proxy_->set(fault);
    EXPECT_THAT(count(await(loop_, transaction->run(soon(), {kAdd}, Wanted::kCount))),
                StartsWith("! unavailable"));
    EXPECT_THAT(count(await(loop_, transaction->run(soon(), {kAdd}, Wanted::kCount))),
                StartsWith("! ended"));
    proxy_->set(Fault::kNone);
    EXPECT_EQ(n_at_last(), "n / 0");
    // And holds nobody up: its lock is gone.
    EXPECT_EQ(execute("UPDATE t SET n = 0"), "1");
  }
}

TEST_P(Faults, a_commit_whose_answer_is_lost_is_unknown_and_all_or_nothing) {
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    EXPECT_EQ(execute("UPDATE t SET n = 0"), "1");
    auto transaction = must(
        await(loop_, database_->begin(soon(), {Isolation::kReadCommitted, Access::kReadWrite})));
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(count(await(loop_, transaction->run(soon(), {kAdd}, Wanted::kCount))), "1");
    }
    proxy_->set(fault);
    auto done = await(loop_, transaction->commit(soon()));
    proxy_->set(Fault::kNone);
    ASSERT_FALSE(done.has_value());
    EXPECT_TRUE(done.error().is<Failure::Unavailable>()) << to_text(done.error());
    EXPECT_THAT(n_at_last(), AnyOf("n / 0", "n / 2"));
  }
}

TEST_P(Faults, a_cursor_that_is_cut_fails_and_never_skips) {
  EXPECT_EQ(execute("INSERT INTO t VALUES (2, 2), (3, 3), (4, 4)"), "3");
  auto cursor =
      must(await(loop_, database_->open_cursor(soon(), {"SELECT id FROM t ORDER BY id"})));
  EXPECT_EQ(must(await(loop_, cursor->next(soon(), 1))).size(), 1u);
  proxy_->set(Fault::kCutAsked);
  auto rows = await(loop_, cursor->next(soon(), 2));
  proxy_->set(Fault::kNone);
  ASSERT_FALSE(rows.has_value());
  EXPECT_TRUE(rows.error().is<Failure::Unavailable>()) << to_text(rows.error());
  rows = await(loop_, cursor->next(soon(), 2));
  ASSERT_FALSE(rows.has_value());
  EXPECT_TRUE(rows.error().is<Failure::Ended>()) << to_text(rows.error());
}

TEST_P(Faults, a_server_that_is_killed_loses_nothing_it_acknowledged) {
  for (int round = 1; round <= 3; ++round) {
    EXPECT_EQ(execute(kAdd), "1");
    auto transaction = must(
        await(loop_, database_->begin(soon(), {Isolation::kReadCommitted, Access::kReadWrite})));
    EXPECT_EQ(count(await(loop_, transaction->run(soon(), {kAdd}, Wanted::kCount))), "1");
    GetParam().restart();
    auto done = await(loop_, transaction->commit(soon()));
    ASSERT_FALSE(done.has_value());
    EXPECT_TRUE(done.error().is<Failure::Unavailable>()) << to_text(done.error());
    EXPECT_EQ(n_at_last(), fmt::format("n / {}", round));
  }
}

TEST_P(Faults, connections_are_used_again_and_not_made_for_each_statement) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(n(), "n / 0");
  EXPECT_EQ(proxy_->connections(), 1u);
}

TEST_P(Faults, are_told_to_who_asks_whether_the_server_can_be_used) {
  auto other = GetParam().make(proxy_->port(), unique_);
  EXPECT_FALSE(other->health()->read().asked);
  Result<void> reached = reach_now(loop_, *other);
  EXPECT_TRUE(reached.has_value()) << reached.error().message();
  EXPECT_TRUE(other->health()->read().up);
  EXPECT_THAT(other->health()->server(), HasSubstr(fmt::format("127.0.0.1:{}", proxy_->port())));
  proxy_->set(Fault::kRefuse);
  reached = reach_now(loop_, *other);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kUnavailable);
  EXPECT_FALSE(other->health()->read().up);
}

TEST_P(Faults, are_in_the_log_once_and_so_is_their_end) {
  ::testing::internal::CaptureStderr();
  proxy_->set(Fault::kRefuse);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(n(), StartsWith("! unavailable"));
  proxy_->set(Fault::kNone);
  EXPECT_EQ(n_at_last(), "n / 0");
  std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("there is no connection"));
  EXPECT_THAT(said, HasSubstr("the server is there again"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 2) << said;
}

TEST_P(Faults, are_counted) {
  auto before = backend_->health()->read();
  EXPECT_EQ(n(), "n / 0");
  EXPECT_EQ(n(), "n / 0");
  auto after = backend_->health()->read();
  EXPECT_TRUE(after.up);
  EXPECT_GE(after.requests, before.requests + 2);
  EXPECT_GT(after.time, before.time);
  EXPECT_EQ(after.failures, 0u);
  proxy_->set(Fault::kCutAsked);
  EXPECT_THAT(execute(kAdd), StartsWith("! unavailable"));
  proxy_->set(Fault::kNone);
  auto broken = backend_->health()->read();
  EXPECT_FALSE(broken.up);
  EXPECT_EQ(broken.failures, 1u);
  EXPECT_EQ(broken.losses, 1u);
}

// For messages of GoogleTest.
void PrintTo(const Pooled& pooled, std::ostream* out) {
  *out << pooled.name;
}

Pooled postgres_server() {
  using postgres::shared_postgres;
  return {"postgres", [] { return shared_postgres().port(); },
          [] { CHECK(shared_postgres().restart().has_value()); },
          [](std::uint16_t port, const std::string& unique) {
            return postgres::postgres_backend({.url = Secret(shared_postgres().tcp_url(port)),
                                               .schema = unique,
                                               .options = {.connections = 4}});
          }};
}

Pooled mysql_server() {
  using mysql::shared_mariadb;
  return {"mysql", [] { return shared_mariadb().port(); },
          [] { CHECK(shared_mariadb().restart().has_value()); },
          [](std::uint16_t port, const std::string& unique) {
            return mysql::mysql_backend({.host = "127.0.0.1",
                                         .port = port,
                                         .user = "weft",
                                         .database = unique,
                                         .options = {.connections = 4}});
          }};
}

std::vector<Pooled> servers() {
  std::vector<Pooled> all;
  if (postgres::PostgresServer::available()) all.push_back(postgres_server());
  if (mysql::MariadbServer::available()) all.push_back(mysql_server());
  return all;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Faults);
INSTANTIATE_TEST_SUITE_P(sql, Faults, ::testing::ValuesIn(servers()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace weft::sql::pooled
