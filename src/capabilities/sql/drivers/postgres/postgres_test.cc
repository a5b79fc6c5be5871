// Shows what the PostgreSQL driver adds to the conformance suite, on a real server: its own types,
// what is refused to guests, conflicts, its pool, and servers that are away or come back.
#include "capabilities/sql/drivers/postgres/postgres.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/sql/conformance.h"
#include "capabilities/sql/drivers/postgres/prepared.h"
#include "capabilities/sql/drivers/postgres/server.h"

namespace weft::sql::postgres {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Postgres : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!PostgresServer::available()) GTEST_SKIP() << "no PostgreSQL is installed";
    static int tests = 0;
    schema_ = fmt::format("p{}", ++tests);
    start({.url = Secret(shared_postgres().url()), .schema = schema_});
  }

  void start(Settings settings) {
    store_.reset();
    backend_ = postgres_backend(std::move(settings));
    CHECK(backend_->open().has_value());
    store_ = backend_->store(loop_);
  }
  Request request() { return {loop_, Deadline::after(std::chrono::seconds(60))}; }
  std::unique_ptr<Database> open() {
    return must(await(loop_, store_->open(request(), {"app", "orders"})));
  }
  std::string query(Runner& runner, std::string text, std::vector<Value> parameters = {}) {
    return show(await(
        loop_, runner.run(request(), {std::move(text), std::move(parameters)}, Wanted::kRows)));
  }
  // The same, asked until it is `wanted`, 20 s at most: a server sees a little later that a
  // connection has ended.
  std::string query_until(Runner& runner, const std::string& text, std::string_view wanted) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    std::string found = query(runner, text);
    while (found != wanted && !limit.passed()) found = query(runner, text);
    return found;
  }
  std::unique_ptr<Transaction> begin(Database& database) {
    return must(
        await(loop_, database.begin(request(), {Isolation::kSerializable, Access::kReadWrite})));
  }

  Loop loop_;  // Outlives the backend.
  std::string schema_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
};

TEST_F(Postgres, its_own_types_come_as_text_and_go_in_as_text) {
  auto database = open();
  EXPECT_EQ(query(*database,
                  "SELECT ARRAY[1,2] AS a, 'NaN'::numeric AS n, 'infinity'::date AS d, "
                  "'1 day'::interval AS i, 12345678901234567890.123::numeric AS m"),
            "a|n|d|i|m / '{1,2}'|'NaN'|'infinity'|'1 day'|decimal 12345678901234567890.123");
  EXPECT_EQ(query(*database, "SELECT ?::int[] AS a", {Value::text("{3,4}")}), "a / '{3,4}'");
  EXPECT_EQ(query(*database, "SELECT '{\"a\": 1}'::jsonb ?? ? AS there", {Value::text("a")}),
            "there / boolean true");
  EXPECT_EQ(query(*database, "SELECT '?' || ? || $$ ? $$ AS t", {Value::text("x")}), "t / '?x ? '");
}

TEST_F(Postgres, what_would_stay_in_a_connection_is_refused) {
  auto database = open();
  for (const char* text :
       {"SET search_path TO public", "set role weft", "RESET ALL", "LISTEN x",
        "PREPARE p AS SELECT 1", "DECLARE c CURSOR FOR SELECT 1", "COPY pg_class TO STDOUT",
        "CREATE TEMP TABLE x (n INT)", "create /* x */ local temporary table x (n INT)",
        "DISCARD ALL", "VACUUM"}) {
    EXPECT_THAT(query(*database, text), StartsWith("! access-denied")) << text;
  }
  EXPECT_EQ(query(*database, "SELECT 1 AS one"), "one / 1");
}

TEST_F(Postgres, transactions_that_exclude_each_other_are_a_conflict) {
  auto database = open();
  query(*database, "CREATE TABLE t (n BIGINT)");
  auto one = begin(*database);
  auto other = begin(*database);
  EXPECT_EQ(query(*one, "SELECT count(*) AS n FROM t"), "n / 0");
  EXPECT_EQ(query(*other, "SELECT count(*) AS n FROM t"), "n / 0");
  EXPECT_EQ(query(*one, "INSERT INTO t VALUES (1)"), "");
  EXPECT_EQ(query(*other, "INSERT INTO t VALUES (2)"), "");
  EXPECT_TRUE(await(loop_, one->commit(request())).has_value());
  auto outcome = await(loop_, other->commit(request()));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().is<Failure::Conflict>()) << to_text(outcome.error());
  EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 1");
}

// Components make their tables when they first run, many of them at once.
TEST_F(Postgres, a_table_that_another_makes_just_then_is_there) {
  auto database = open();
  auto other = begin(*database);
  const char* text = "CREATE TABLE IF NOT EXISTS t (n BIGINT PRIMARY KEY)";
  EXPECT_EQ(query(*other, text), "");
  auto late = database->run(request(), {text}, Wanted::kCount);
  auto waits = [&] {
    return query(*database, "SELECT count(*) AS n FROM pg_locks WHERE NOT granted") != "n / 0";
  };
  while (!waits()) continue;
  EXPECT_TRUE(await(loop_, other->commit(request())).has_value());
  EXPECT_EQ(show(await(loop_, std::move(late))), "");
  EXPECT_EQ(query(*database, "INSERT INTO t VALUES (1)"), "");
  EXPECT_THAT(query(*database, "CREATE TABLE t (n BIGINT)"), StartsWith("! invalid-sql"));
}

TEST_F(Postgres, statements_beyond_the_connections_wait_for_one) {
  start({.url = Secret(shared_postgres().url()), .schema = schema_, .options = {.connections = 2}});
  auto database = open();
  auto one = begin(*database);
  auto other = begin(*database);
  auto late = database->run(request(), {"SELECT 1 AS one"}, Wanted::kRows);
  Request soon{loop_, Deadline::after(std::chrono::milliseconds(100))};
  auto refused = await(loop_, database->run(soon, {"SELECT 1"}, Wanted::kRows));
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Failure::Timeout>()) << to_text(refused.error());
  one.reset();
  EXPECT_EQ(show(await(loop_, std::move(late))), "one / 1");
}

TEST_F(Postgres, a_server_that_comes_back_is_used_again) {
  auto server = PostgresServer::start();
  ASSERT_TRUE(server.has_value()) << server.error().message();
  start({.url = Secret((*server)->url())});
  auto database = open();
  EXPECT_EQ(query(*database, "CREATE TABLE t (n BIGINT)"), "");
  auto transaction = begin(*database);
  EXPECT_EQ(query(*transaction, "INSERT INTO t VALUES (1)"), "");
  ASSERT_TRUE((*server)->restart().has_value());
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM t"), "n / 0") << "on a new connection";
  EXPECT_THAT(query(*transaction, "INSERT INTO t VALUES (1)"), StartsWith("! unavailable"));
  EXPECT_THAT(query(*transaction, "INSERT INTO t VALUES (1)"), StartsWith("! ended"));
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM t"), "n / 0");
  server->reset();
  EXPECT_THAT(query(*database, "SELECT 1"), StartsWith("! unavailable"));
}

TEST_F(Postgres, who_is_not_let_in_is_told_without_the_password) {
  for (auto [url, kind] :
       {std::pair{shared_postgres().url("nobody-of-that-name"), "! access-denied"},
        std::pair{std::string("postgresql://u@127.0.0.1:1/x"), "! unavailable"},
        std::pair{std::string("postgresql:///x?host=/nowhere/at/all"), "! unavailable"}}) {
    start({.url = Secret(url), .password = Secret("hush-hush")});
    auto said = query(*open(), "SELECT 1");
    EXPECT_THAT(said, StartsWith(kind)) << url;
    EXPECT_THAT(said, Not(HasSubstr("hush-hush")));
  }
}

// A server says this to each who connects once its system's C library has been upgraded.
TEST_F(Postgres, what_the_server_says_beside_letting_in_is_not_printed) {
  start({.url = Secret(shared_postgres().url())});
  auto database = open();
  EXPECT_EQ(query(*database, "CREATE DATABASE warns"), "");
  EXPECT_EQ(query(*database, "UPDATE pg_database SET datcollversion = '0' WHERE datname = 'warns'"),
            "");
  std::string url = shared_postgres().tcp_url(shared_postgres().port());
  start({.url = Secret(url.substr(0, url.rfind('/')) + "/warns")});
  database = open();
  ::testing::internal::CaptureStderr();
  auto said = query(*database, "SELECT current_database()");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(said, "current_database / 'warns'");
}

// A server knows no encoding of ours before it has let us in, and guests take nothing but UTF-8.
TEST_F(Postgres, what_a_server_says_in_another_encoding_is_told_as_text) {
  start({.url = Secret(shared_postgres().url("r%F4le"))});
  EXPECT_THAT(query(*open(), "SELECT 1"),
              AllOf(StartsWith("! access-denied"), HasSubstr("\"r?le\" does not exist")));
}

TEST_F(Postgres, a_password_is_given_and_a_wrong_one_refused) {
  auto server = PostgresServer::start();
  ASSERT_TRUE(server.has_value()) << server.error().message();
  (*server)->guard("hush-hush");
  auto url = (*server)->tcp_url((*server)->port(), "guarded");
  start({.url = Secret(url), .password = Secret("hush-hush")});
  EXPECT_EQ(query(*open(), "SELECT 1 AS one"), "one / 1");
  start({.url = Secret(url), .password = Secret("hush-hash")});
  auto said = query(*open(), "SELECT 1 AS one");
  EXPECT_THAT(said, StartsWith("! access-denied"));
  EXPECT_THAT(said, Not(HasSubstr("hush")));
}

TEST_F(Postgres, tls_is_spoken_with_servers_that_a_certificate_vouches_for) {
  auto url = shared_postgres().tcp_url(shared_postgres().port()) + "?sslmode=verify-full";
  start({.url = Secret(url + "&sslrootcert=" + shared_postgres().certificate())});
  EXPECT_EQ(query(*open(), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
            "ssl / boolean true");
  start({.url = Secret(url + "&sslrootcert=system-that-is-not-there")});
  EXPECT_THAT(query(*open(), "SELECT 1"), StartsWith("! unavailable"));
}

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"postgres"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(PostgresSettings, are_read) {
  auto settings = read_settings(choice({{"url", "postgresql://me@db/shop"},
                                        {"password", "p"},
                                        {"schema", "{app}"},
                                        {"connections", "3"},
                                        {"statement-timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->password.reveal(), "p");
  EXPECT_EQ(settings->schema, "{app}");
  EXPECT_EQ(settings->options.connections, 3u);
  EXPECT_EQ(settings->options.times.statement, std::chrono::seconds(2));
}

TEST(PostgresSettings, say_what_is_wrong_and_nothing_of_the_url) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"},
        std::pair{choice({{"url", "postgresql://u:hush-hush@[::/x"}}), "url is none"},
        std::pair{choice({{"url", "postgresql://x"}, {"connections", "0"}}), "from 1 to"},
        std::pair{choice({{"url", "postgresql://x"}, {"connections", "8x"}}), "from 1 to"},
        std::pair{choice({{"url", "postgresql://x"}, {"idle-timeout", "2h"}}), "idle-timeout"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value());
    EXPECT_THAT(read.error().message(), HasSubstr(what));
    EXPECT_THAT(read.error().message(), Not(HasSubstr("hush-hush")));
  }
}

TEST_F(Postgres, cursors_that_were_dropped_are_closed_at_the_server) {
  auto database = open();
  auto transaction = begin(*database);
  for (int i = 0; i < 20; ++i) {
    auto cursor =
        must(await(loop_, transaction->open_cursor(request(), {"SELECT generate_series(1, 9)"})));
    EXPECT_EQ(must(await(loop_, cursor->next(request(), 2))).size(), 2u);
  }
  auto open_ones =
      query(*transaction, "SELECT count(*) AS n FROM pg_cursors WHERE name LIKE 'weft%'");
  EXPECT_THAT(open_ones, ::testing::AnyOf("n / 1", "n / 0"));
}

TEST_F(Postgres, a_large_result_of_a_cursor_comes_in_bounded_steps) {
  auto database = open();
  auto cursor =
      must(await(loop_, database->open_cursor(request(), {"SELECT i, repeat('x', 1000) AS s FROM "
                                                          "generate_series(1, 20000) AS i"})));
  std::int64_t next = 1;
  for (;;) {
    auto rows = must(await(loop_, cursor->next(request(), 1'000'000)));
    if (rows.empty()) break;
    EXPECT_LE(rows.size(), kFetchBytesMax / 1000 + 1000);
    for (const Row& row : rows) ASSERT_EQ(row.at(0), Value::integer(next++));
  }
  EXPECT_EQ(next, 20001);
}

TEST_F(Postgres, what_leaves_traces_is_not_left_to_the_next_one) {
  start({.url = Secret(shared_postgres().url()), .schema = schema_, .options = {.connections = 1}});
  auto database = open();
  auto settings = query(*database, "SELECT current_setting('datestyle') AS s");
  for (const char* text : {"SELECT set_config('datestyle', 'German', false)",
                           "SELECT \"set_config\"('datestyle', 'German', false)",
                           "SELECT U&\"set\\005fconfig\"('datestyle', 'German', false)",
                           "SELECT query_to_xml('SELECT set_config(''datestyle'', ''German'', "
                           "false)', true, true, '')",
                           "DO $$ BEGIN SET datestyle TO German; END $$",
                           "SELECT 1 AS s INTO TEMP datestyle", "SELECT pg_advisory_lock(77)"}) {
    EXPECT_THAT(query(*database, text), Not(StartsWith("!"))) << text;
    EXPECT_EQ(query(*database, "SELECT current_setting('datestyle') AS s"), settings) << text;
    EXPECT_THAT(query(*database, "SELECT * FROM datestyle"), StartsWith("! invalid-sql"));
    auto transaction = begin(*database);
    EXPECT_THAT(query(*transaction, text), Not(StartsWith("!"))) << text;
    EXPECT_TRUE(await(loop_, transaction->commit(request())).has_value());
    EXPECT_EQ(query(*database, "SELECT current_setting('datestyle') AS s"), settings) << text;
  }
  EXPECT_EQ(query_until(*database, "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'",
                        "n / 0"),
            "n / 0");
}

TEST_F(Postgres, a_statement_that_comes_again_is_prepared_once_and_survives_other_tables) {
  start({.url = Secret(shared_postgres().url()), .schema = schema_, .options = {.connections = 1}});
  auto database = open();
  EXPECT_EQ(query(*database, "CREATE TABLE t (n BIGINT)"), "");
  EXPECT_EQ(query(*database, "INSERT INTO t VALUES (1)"), "");
  auto all = [&] { return query(*database, "SELECT * FROM t WHERE n = ?", {Value::integer(1)}); };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(all(), "n / 1");
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM pg_prepared_statements"), "n / 1");
  EXPECT_EQ(query(*database, "ALTER TABLE t ADD COLUMN m TEXT"), "");
  EXPECT_EQ(all(), "n|m / 1|null");
  EXPECT_EQ(all(), "n|m / 1|null");
  // In a transaction nothing can be tried again but all of it.
  EXPECT_EQ(query(*database, "ALTER TABLE t DROP COLUMN m"), "");
  auto transaction = begin(*database);
  EXPECT_THAT(query(*transaction, "SELECT * FROM t WHERE n = ?", {Value::integer(1)}),
              StartsWith("! conflict"));
  EXPECT_EQ(all(), "n / 1");
}

TEST_F(Postgres, no_more_statements_stay_prepared_than_are_remembered) {
  start({.url = Secret(shared_postgres().url()), .schema = schema_, .options = {.connections = 1}});
  auto database = open();
  for (std::size_t i = 0; i < kRememberedMax + 100; ++i) {
    for (int again = 0; again < 2; ++again) {
      ASSERT_EQ(query(*database, fmt::format("SELECT {} AS n", i)), fmt::format("n / {}", i));
    }
  }
  auto outcome = await(
      loop_,
      database->run(request(), {"SELECT count(*) FROM pg_prepared_statements"}, Wanted::kRows));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_LE(outcome->set.rows.at(0).at(0).as<Value::Integer>()->value,
            static_cast<std::int64_t>(kRememberedMax) + 1);
}

TEST_F(Postgres, a_row_that_is_too_large_is_a_limit_before_all_of_it_is_here) {
  auto database = open();
  EXPECT_THAT(query(*database, "SELECT repeat('x', 200000000) AS s"), StartsWith("! limit"));
  EXPECT_EQ(query(*database, "SELECT 1 AS one"), "one / 1");
}

}  // namespace
}  // namespace weft::sql::postgres
