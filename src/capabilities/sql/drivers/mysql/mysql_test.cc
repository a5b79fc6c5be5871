// Shows what the MySQL driver adds to the conformance suite, on a real MariaDB: its own types, what
// is refused to guests, conflicts, what is kept prepared, who is let in, and TLS.
#include "capabilities/sql/drivers/mysql/mysql.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/sql/conformance.h"
#include "capabilities/sql/drivers/mysql/connection.h"
#include "capabilities/sql/drivers/mysql/server.h"

namespace weft::sql::mysql {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Mysql : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!MariadbServer::available()) GTEST_SKIP() << "no MariaDB is installed";
    static int tests = 0;
    settings_ = {.host = "127.0.0.1",
                 .port = shared_mariadb().port(),
                 .user = "weft",
                 .database = fmt::format("m{}", ++tests),
                 .options = {.connections = 1}};
    start(settings_);
  }

  void start(Settings settings) {
    store_.reset();
    backend_ = mysql_backend(std::move(settings));
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
  std::unique_ptr<Transaction> begin(Database& database,
                                     Isolation isolation = Isolation::kSerializable) {
    return must(await(loop_, database.begin(request(), {isolation, Access::kReadWrite})));
  }

  Loop loop_;  // Outlives the backend.
  Settings settings_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
};

TEST_F(Mysql, its_own_types_come_as_what_is_nearest) {
  auto database = open();
  EXPECT_EQ(query(*database,
                  "CREATE TABLE t (u BIGINT UNSIGNED, f FLOAT, y YEAR, e ENUM('a', 'b'), h TIME, "
                  "b VARBINARY(4), c CHAR(3), s SMALLINT UNSIGNED)"),
            "");
  EXPECT_EQ(query(*database,
                  "INSERT INTO t VALUES (18446744073709551615, 0.1, 2026, 'b', '-30:00:01', "
                  "x'00ff', 'x', 65535)"),
            "");
  EXPECT_EQ(query(*database, "SELECT * FROM t"),
            "u|f|y|e|h|b|c|s / decimal 18446744073709551615|real 0.1|2026|'b'|'-30:00:01'|binary "
            "00ff|'x'|65535");
}

TEST_F(Mysql, what_would_stay_in_a_connection_is_refused) {
  auto database = open();
  for (const char* text :
       {"SET sql_mode = ''", "set @a = 1", "USE mysql", "PREPARE p FROM 'SELECT 1'",
        "LOCK TABLES t READ", "FLUSH TABLES", "CALL p()", "LOAD DATA INFILE 'x' INTO TABLE t",
        "CREATE TEMPORARY TABLE x (n INT)", "create /* x */ temporary table x (n INT)",
        "XA START 'x'", "KILL 1", "HANDLER t OPEN"}) {
    EXPECT_THAT(query(*database, text), StartsWith("! access-denied")) << text;
  }
  EXPECT_THAT(query(*database, "/*! SET sql_mode = '' */"), StartsWith("! invalid-sql"));
  EXPECT_EQ(query(*database, "SELECT 1 AS one"), "one / 1");
}

TEST_F(Mysql, what_leaves_traces_is_not_left_to_the_next_one) {
  auto database = open();
  EXPECT_EQ(query(*database, "SELECT @a := 7 AS a"), "a / 7");
  EXPECT_EQ(query(*database, "SELECT @a AS a"), "a / null");
  EXPECT_EQ(query(*database, "SELECT GET_LOCK('weft', 0) AS a"), "a / 1");
  EXPECT_EQ(query_until(*database, "SELECT IS_FREE_LOCK('weft') AS a", "a / 1"), "a / 1");
}

TEST_F(Mysql, a_statement_that_would_commit_is_refused_in_a_transaction) {
  auto database = open();
  EXPECT_EQ(query(*database, "CREATE TABLE t (n BIGINT)"), "");
  auto transaction = begin(*database);
  EXPECT_EQ(query(*transaction, "INSERT INTO t VALUES (1)"), "");
  EXPECT_THAT(query(*transaction, "CREATE TABLE u (n BIGINT)"), StartsWith("! access-denied"));
  transaction.reset();
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM t"), "n / 0");
}

TEST_F(Mysql, a_row_that_changed_since_the_snapshot_is_a_conflict) {
  settings_.options.connections = 3;
  start(settings_);
  auto database = open();
  EXPECT_EQ(query(*database, "CREATE TABLE t (id INT PRIMARY KEY, n BIGINT)"), "");
  EXPECT_EQ(query(*database, "INSERT INTO t VALUES (1, 0)"), "");
  auto transaction = begin(*database, Isolation::kRepeatableRead);
  EXPECT_EQ(query(*transaction, "SELECT n FROM t"), "n / 0");
  EXPECT_EQ(query(*database, "UPDATE t SET n = 5"), "");
  EXPECT_EQ(query(*transaction, "SELECT n FROM t"), "n / 0");
  EXPECT_THAT(query(*transaction, "UPDATE t SET n = 1"), StartsWith("! conflict"));
  EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 5");
}

TEST_F(Mysql, statements_are_prepared_once_and_no_more_are_kept_than_the_bound) {
  auto database = open();
  auto count = [&] {
    return await(loop_, database->run(request(),
                                      {"SELECT CAST(variable_value AS INTEGER) FROM "
                                       "information_schema.session_status WHERE variable_name = ?",
                                       {Value::text("Com_stmt_prepare")}},
                                      Wanted::kRows));
  };
  auto number = [&] { return count()->set.rows.at(0).at(0).as<Value::Integer>()->value; };
  auto before = number();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(query(*database, "SELECT ? + 1 AS n", {Value::integer(i)}),
              fmt::format("n / {}", i + 1));
  }
  EXPECT_EQ(number(), before + 1);
  for (std::size_t i = 0; i < kPreparedMax + 20; ++i) {
    ASSERT_EQ(query(*database, fmt::format("SELECT {} AS n", i)), fmt::format("n / {}", i));
  }
  // The first one was dropped meanwhile, and is prepared again.
  EXPECT_EQ(query(*database, "SELECT ? + 1 AS n", {Value::integer(1)}), "n / 2");
}

TEST_F(Mysql, a_statement_goes_on_when_its_table_has_changed) {
  auto database = open();
  EXPECT_EQ(query(*database, "CREATE TABLE t (n BIGINT)"), "");
  EXPECT_EQ(query(*database, "INSERT INTO t VALUES (1)"), "");
  EXPECT_EQ(query(*database, "SELECT * FROM t"), "n / 1");
  EXPECT_EQ(query(*database, "ALTER TABLE t ADD COLUMN m TEXT"), "");
  auto said = query(*database, "SELECT * FROM t");
  EXPECT_THAT(said, ::testing::AnyOf(StartsWith("! conflict"), "n|m / 1|null"));
  EXPECT_EQ(query(*database, "SELECT * FROM t"), "n|m / 1|null");
}

TEST_F(Mysql, who_is_not_let_in_is_told_without_the_password) {
  settings_.user = "guarded";
  settings_.password = Secret("hush-hush");
  start(settings_);
  EXPECT_EQ(query(*open(), "SELECT 1 AS one"), "one / 1");
  settings_.password = Secret("hush-hash");
  start(settings_);
  auto said = query(*open(), "SELECT 1 AS one");
  EXPECT_THAT(said, StartsWith("! access-denied"));
  EXPECT_THAT(said, Not(HasSubstr("hush")));
  settings_.port = 1;
  start(settings_);
  EXPECT_THAT(query(*open(), "SELECT 1"), StartsWith("! unavailable"));
}

TEST_F(Mysql, tls_is_spoken_with_servers_that_a_certificate_vouches_for) {
  settings_.tls = true;
  settings_.authorities = shared_mariadb().certificate();
  start(settings_);
  EXPECT_THAT(query(*open(),
                    "SELECT variable_value AS v FROM information_schema.session_status WHERE "
                    "variable_name = 'Ssl_version'"),
              StartsWith("v / 'TLSv1."));
  settings_.authorities.clear();
  start(settings_);
  EXPECT_THAT(query(*open(), "SELECT 1"), StartsWith("! unavailable"));
}

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"mysql"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(MysqlSettings, are_read_from_the_url_and_beside_it) {
  auto settings = read_settings(choice({{"url", "mysql://me:pass@db/shop"}, {"connections", "3"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->host, "db");
  EXPECT_EQ(settings->port, 3306);
  EXPECT_EQ(settings->user, "me");
  EXPECT_EQ(settings->password.reveal(), "pass");
  EXPECT_EQ(settings->database, "shop");
  EXPECT_FALSE(settings->tls);
  EXPECT_EQ(settings->options.connections, 3u);
  settings = read_settings(choice({{"url", "mysqls://db:3307"},
                                   {"username", "you"},
                                   {"password", "other"},
                                   {"database", "{app}"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->port, 3307);
  EXPECT_EQ(settings->user, "you");
  EXPECT_EQ(settings->password.reveal(), "other");
  EXPECT_EQ(settings->database, "{app}");
  EXPECT_TRUE(settings->tls);
}

TEST(MysqlSettings, say_what_is_wrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "http://x/y"}}), "mysql://"},
        std::pair{choice({{"url", "mysql://x"}}), "no database"},
        std::pair{choice({{"url", "mysql://x/y"}, {"ca-file", "ca.pem"}}), "mysqls://"},
        std::pair{choice({{"url", "mysqls://x/y"}, {"ca-file", "/no/ca.pem"}}), "/no/ca.pem"},
        std::pair{choice({{"url", "mysql://x/y"}, {"connections", "0"}}), "from 1 to"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value());
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

}  // namespace
}  // namespace weft::sql::mysql
