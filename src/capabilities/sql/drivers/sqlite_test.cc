// Shows what the SQLite driver adds to the conformance suite: what is refused to guests, files that
// are not ours, a full file, its queue, and what a stopping host does.
#include "capabilities/sql/drivers/sqlite.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "capabilities/sql/conformance.h"

namespace weft::sql {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kEndless =
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c";

class SqliteDriver : public ::testing::Test {
 protected:
  SqliteDriver() { start(); }

  void start(SqliteOptions options = {}) {
    store_.reset();
    engine_.reset();
    engine_ = std::make_shared<SqliteEngine>(folder_.path());
    store_ = sqlite_store(engine_, options);
  }
  Request request() { return {loop_, Deadline::after(std::chrono::seconds(60))}; }
  Or<std::unique_ptr<Database>> open(std::string_view name = "") {
    return await(loop_, store_->open(request(), {"app", name}));
  }
  std::string query(Runner& runner, std::string text, std::vector<Value> parameters = {}) {
    return show(await(
        loop_, runner.run(request(), {std::move(text), std::move(parameters)}, Wanted::kRows)));
  }
  fs::path file(std::string_view name = "") const {
    return folder_.path() / SqliteEngine::file_name({"app", name});
  }
  std::string contents() const {
    std::ifstream stream(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // What opening says of a file that holds this.
  std::string open_with(const std::string& text) {
    store_.reset();
    engine_.reset();
    for (const char* each : {"", "-wal", "-shm"}) fs::remove(file().string() + each);
    std::ofstream(file(), std::ios::binary) << text;
    start();
    auto database = open();
    std::string said =
        database ? query(**database, "SELECT count(*) AS n FROM t") : to_text(database.error());
    return said;
  }

  Loop loop_;  // Outlives the engine, which posts to it.
  TestFolder folder_;
  std::shared_ptr<SqliteEngine> engine_;
  std::unique_ptr<Store> store_;
};

TEST_F(SqliteDriver, file_names_are_safe_and_differ) {
  EXPECT_EQ(SqliteEngine::file_name({"shop", "orders"}), "shop+orders.db");
  EXPECT_EQ(SqliteEngine::file_name({"", ""}), "+.db");
  EXPECT_EQ(SqliteEngine::file_name({"a", "../X"}), "a+%2e%2e%2f%58.db");
  std::string name(kDatabaseNameBytesMax, '/');
  auto long_one = SqliteEngine::file_name({"a", name});
  EXPECT_LT(long_one.size(), 100u);
  name.back() = '.';
  EXPECT_NE(SqliteEngine::file_name({"a", name}), long_one);
}

TEST_F(SqliteDriver, a_guest_reaches_its_own_database_and_nothing_else) {
  auto database = must(open());
  query(*database, "CREATE TABLE t (n INT)");
  auto outside = folder_.path() / "outside.db";
  for (const std::string& text :
       {fmt::format("ATTACH '{}' AS other", outside.string()), std::string("DETACH main"),
        std::string("VACUUM"), fmt::format("VACUUM INTO '{}'", outside.string()),
        std::string("SELECT load_extension('x.so')"),
        std::string("SELECT fts3_tokenizer('simple')"), std::string("PRAGMA journal_mode = DELETE"),
        std::string("PRAGMA synchronous = OFF"), std::string("PRAGMA writable_schema = ON"),
        std::string("pragma Foreign_Keys = OFF"), std::string("PRAGMA database_list"),
        std::string("PRAGMA temp_store_directory = '/'"),
        std::string("CREATE TEMP VIEW v AS SELECT 1")}) {
    EXPECT_THAT(query(*database, text), StartsWith("! access-denied")) << text;
  }
  EXPECT_FALSE(fs::exists(outside));
  EXPECT_THAT(query(*database, "UPDATE sqlite_schema SET sql = 'x'"), StartsWith("!"));
  EXPECT_THAT(query(*database, "SELECT readfile('/etc/hostname')"), StartsWith("! invalid-sql"));
  EXPECT_THAT(query(*database, "SELECT \"no such column\""), StartsWith("! invalid-sql"));
  // What describes tables is served.
  EXPECT_THAT(query(*database, "PRAGMA table_info(t)"), HasSubstr("'n'|'INT'"));
  EXPECT_THAT(query(*database, "SELECT count(*) AS n FROM sqlite_schema"), StartsWith("n / 1"));
}

TEST_F(SqliteDriver, what_it_does_not_keep_exactly_it_refuses) {
  auto database = must(open());
  query(*database, "CREATE TABLE t (v DECIMAL(30,5))");
  EXPECT_THAT(query(*database, "INSERT INTO t VALUES (?)", {Value::decimal("12345678901.123456")}),
              HasSubstr("17 digits: SQLite keeps 15"));
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM t"), "n / 0");
  EXPECT_THAT(query(*database, "SELECT CAST(x'ff' AS TEXT)"), HasSubstr("not UTF-8"));
}

TEST_F(SqliteDriver, a_cell_that_is_not_what_its_column_declares_comes_as_it_is) {
  auto database = must(open());
  query(*database,
        "CREATE TABLE t (b BOOLEAN, d DATE, u UUID, w TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP)");
  query(*database, "INSERT INTO t (b, d, u) VALUES (7, 'soon', 'x')");
  auto text = query(*database, "SELECT b, d, u FROM t");
  EXPECT_EQ(text, "b|d|u / 7|'soon'|'x'");
  EXPECT_THAT(query(*database, "SELECT w FROM t"), ::testing::MatchesRegex("w / instant 2.*T.*Z"));
}

TEST_F(SqliteDriver, files_that_are_not_ours_are_refused_and_left_as_they_are) {
  auto database = must(open());
  query(*database, "CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT)");
  query(
      *database,
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) INSERT INTO "
      "t SELECT i, printf('%0200d', i) FROM c");
  database.reset();
  store_.reset();
  engine_.reset();  // Closed: all of it is in the one file.
  std::string whole = contents();
  ASSERT_GT(whole.size(), 100u << 10);
  EXPECT_EQ(open_with(whole), "n / 3000");
  EXPECT_THAT(open_with(std::string(8192, 'x')), StartsWith("unavailable"));
  EXPECT_EQ(contents(), std::string(8192, 'x'));
  EXPECT_THAT(open_with(whole.substr(0, whole.size() / 2)), StartsWith("unavailable"));
  std::string damaged = whole;
  for (std::size_t i = damaged.size() / 2; i < damaged.size() / 2 + 20'000; ++i) damaged[i] = 'y';
  EXPECT_THAT(open_with(damaged), StartsWith("unavailable"));
  std::string foreign = whole;
  foreign[68] = 'X';  // The application's number in SQLite's header.
  EXPECT_THAT(open_with(foreign), HasSubstr("another program"));
  EXPECT_EQ(contents(), foreign);
  // And when it is put right, without a restart.
  std::ofstream(file(), std::ios::binary) << whole;
  EXPECT_TRUE(open().has_value());
}

TEST_F(SqliteDriver, a_full_file_is_a_limit_and_leaves_nothing_half_written) {
  start({.size_max = 200 << 10});
  auto database = must(open());
  query(*database, "CREATE TABLE t (s TEXT)");
  std::string large(50'000, 'x');
  int written = 0;
  std::string said;
  while (written < 10) {
    said = query(*database, "INSERT INTO t VALUES (?)", {Value::text(large)});
    if (!said.empty()) break;
    ++written;
  }
  EXPECT_GE(written, 1);
  EXPECT_THAT(said, StartsWith("! limit"));
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM t"), fmt::format("n / {}", written));
  // Another bound for the same file, without a restart.
  store_ = sqlite_store(engine_, {.size_max = 1 << 20});
  auto again = must(open());
  EXPECT_EQ(query(*again, "INSERT INTO t VALUES (?)", {Value::text(large)}), "");
}

TEST_F(SqliteDriver, a_statement_that_wants_too_much_memory_is_a_limit) {
  auto database = must(open());
  std::string text = "SELECT hex(zeroblob(30000000)) AS c0";
  for (int i = 1; i < 12; ++i) text += fmt::format(", hex(zeroblob(30000000)) AS c{}", i);
  EXPECT_THAT(query(*database, text), StartsWith("! limit"));
  EXPECT_THAT(query(*database, "SELECT length(zeroblob(70000000))"), StartsWith("! limit"));
  EXPECT_EQ(query(*database, "SELECT 1 AS one"), "one / 1");
}

TEST_F(SqliteDriver, too_many_that_wait_are_busy_and_the_rest_are_served) {
  auto database = must(open());
  query(*database, "CREATE TABLE t (n BIGINT)");
  query(*database, "INSERT INTO t VALUES (0)");
  auto transaction = must(
      await(loop_, database->begin(request(), {Isolation::kSerializable, Access::kReadWrite})));
  query(*database, "SELECT 1");
  std::vector<Answer<Or<std::unique_ptr<Transaction>>>> waiting;
  for (std::size_t i = 0; i < kWaitingMax; ++i) {
    waiting.push_back(database->begin(request(), {Isolation::kSerializable, Access::kReadWrite}));
  }
  auto refused =
      await(loop_, database->begin(request(), {Isolation::kSerializable, Access::kReadWrite}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Failure::Busy>()) << to_text(refused.error());
  // Readers do not wait for writers.
  EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 0");
  transaction.reset();
  for (auto& each : waiting) {
    auto begun = await(loop_, std::move(each));
    ASSERT_TRUE(begun.has_value()) << to_text(begun.error());
  }
}

TEST_F(SqliteDriver, readers_beyond_the_bound_wait_for_one_that_ends) {
  auto database = must(open());
  query(*database, "CREATE TABLE t (n BIGINT)");
  std::vector<std::unique_ptr<Cursor>> cursors;
  for (std::size_t i = 0; i < sqlite::kReadersMax; ++i) {
    cursors.push_back(must(await(loop_, database->open_cursor(request(), {"SELECT n FROM t"}))));
  }
  auto late = database->open_cursor(request(), {"SELECT n FROM t"});
  Request soon{loop_, Deadline::after(std::chrono::milliseconds(50))};
  auto outcome = await(loop_, database->open_cursor(soon, {"SELECT n FROM t"}));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().is<Failure::Timeout>()) << to_text(outcome.error());
  cursors.clear();
  EXPECT_TRUE(await(loop_, std::move(late)).has_value());
}

TEST_F(SqliteDriver, a_stopping_host_interrupts_what_runs_and_refuses_what_waits) {
  auto database = must(open());
  query(*database, "CREATE TABLE t (n BIGINT)");
  auto running = database->run(request(), {std::string(kEndless)}, Wanted::kRows);
  auto writer = must(
      await(loop_, database->begin(request(), {Isolation::kSerializable, Access::kReadWrite})));
  auto waiting = database->run(request(), {"INSERT INTO t VALUES (1)"}, Wanted::kCount);
  // The first one is not known to write before it was looked at: now it waits for the writer.
  query(*database, "SELECT 1");
  auto more = database->run(request(), {"INSERT INTO t VALUES (1)"}, Wanted::kCount);
  database.reset();
  store_.reset();
  writer.reset();
  engine_.reset();
  auto outcome = await(loop_, std::move(running));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().is<Failure::Unavailable>()) << to_text(outcome.error());
  for (auto* each : {&waiting, &more}) static_cast<void>(await(loop_, std::move(*each)));
}

TEST_F(SqliteDriver, files_that_nobody_has_open_make_room_for_others) {
  constexpr std::size_t kFiles = 4;
  store_.reset();
  engine_ = std::make_shared<SqliteEngine>(folder_.path(), kFiles);
  store_ = sqlite_store(engine_, {});
  auto kept = must(open("kept"));
  query(*kept, "CREATE TABLE t (n BIGINT)");
  for (std::size_t i = 0; i < 2 * kFiles; ++i) {
    auto database = open(fmt::format("n{}", i));
    ASSERT_TRUE(database.has_value()) << i << ": " << to_text(database.error());
  }
  EXPECT_EQ(query(*kept, "SELECT count(*) AS n FROM t"), "n / 0");
  std::vector<std::unique_ptr<Database>> others;
  for (std::size_t i = 1; i < kFiles; ++i) others.push_back(must(open(fmt::format("n{}", i))));
  auto refused = open("more");
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Failure::Limit>()) << to_text(refused.error());
}

}  // namespace
}  // namespace weft::sql
