// Shows that a driver does what database.h promises of statements, bounds and failures: runs each
// against a fresh backend.
#include "capabilities/sql/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

namespace weft::sql {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string show(const Value& value) {
  using V = Value;
  return value.match([](const V::Null&) { return std::string("null"); },
                     [](const V::Boolean& v) { return fmt::format("boolean {}", v.value); },
                     [](const V::Integer& v) { return fmt::format("{}", v.value); },
                     [](const V::Real& v) { return fmt::format("real {}", v.value); },
                     [](const V::Decimal& v) { return "decimal " + v.value; },
                     [](const V::Text& v) { return "'" + v.value + "'"; },
                     [](const V::Binary& v) {
                       std::string text = "binary ";
                       for (auto byte : v.value) text += fmt::format("{:02x}", byte);
                       return text;
                     },
                     [](const V::Date& v) { return "date " + v.value; },
                     [](const V::Time& v) { return "time " + v.value; },
                     [](const V::Timestamp& v) { return "timestamp " + v.value; },
                     [](const V::Instant& v) { return "instant " + v.value; },
                     [](const V::Uuid& v) { return "uuid " + v.value; },
                     [](const V::Json& v) { return "json " + v.value; });
}

std::string show(const Or<Outcome>& outcome) {
  if (!outcome) return "! " + to_text(outcome.error());
  std::string text;
  for (const Column& each : outcome->set.columns) text += (text.empty() ? "" : "|") + each.name;
  for (const Row& row : outcome->set.rows) {
    text += " /";
    for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? " " : "|") + show(row[i]);
  }
  return text;
}

std::string_view Driver::type(std::string_view wanted) const {
  for (auto [common, own] : types) {
    if (common == wanted) return own;
  }
  return wanted;
}

void Conformance::start(Times times) {
  store_.reset();
  backend_.reset();
  backend_ = GetParam().make(state_, times, unique_);
  auto opened = backend_->open();
  if (!opened) ADD_FAILURE() << opened.error().message();
  CHECK(opened.has_value());
  store_ = backend_->store(loop_);
}

std::string Conformance::query(Runner& runner, std::string text, std::vector<Value> parameters) {
  return show(wait(runner.run(request(), {std::move(text), std::move(parameters)}, Wanted::kRows)));
}

std::string Conformance::execute(Runner& runner, std::string text, std::vector<Value> parameters) {
  auto outcome =
      wait(runner.run(request(), {std::move(text), std::move(parameters)}, Wanted::kCount));
  if (!outcome) return show(outcome);
  return fmt::format("{}", outcome->affected);
}

Failure Conformance::failure_of(Runner& runner, std::string text, std::vector<Value> parameters) {
  auto outcome =
      wait(runner.run(request(), {std::move(text), std::move(parameters)}, Wanted::kRows));
  if (!outcome) return std::move(outcome).error();
  ADD_FAILURE() << "this should fail, and gave " << show(outcome);
  return Failure::other("");
}

std::unique_ptr<Database> Conformance::with_table(int rows) {
  auto database = open();
  EXPECT_EQ(execute(*database, "CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT NOT NULL)"), "0");
  for (int i = 1; i <= rows; ++i) {
    EXPECT_EQ(execute(*database, "INSERT INTO t VALUES (?, 0)", {Value::integer(i)}), "1");
  }
  return database;
}

namespace {

TEST_P(Conformance, a_statement_says_how_many_rows_it_changed) {
  auto database = open();
  EXPECT_EQ(execute(*database, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"), "0");
  EXPECT_EQ(execute(*database, "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"), "3");
  EXPECT_EQ(execute(*database, "UPDATE t SET name = 'x' WHERE id > 1"), "2");
  EXPECT_EQ(execute(*database, "DELETE FROM t WHERE id = 99"), "0");
  EXPECT_EQ(execute(*database, "CREATE INDEX i ON t (name)"), "0");
  EXPECT_EQ(execute(*database, "DELETE FROM t WHERE id = 1"), "1");
  EXPECT_EQ(query(*database, "SELECT id, name FROM t ORDER BY id"), "id|name / 2|'x' / 3|'x'");
}

TEST_P(Conformance, a_query_gives_columns_with_their_names_and_rows) {
  auto database = open();
  EXPECT_EQ(execute(*database, "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20))"), "0");
  EXPECT_EQ(query(*database, "SELECT id, name AS \"Name of it\" FROM t"), "id|Name of it");
  EXPECT_EQ(query(*database, "INSERT INTO t VALUES (?, ?), (?, ?) RETURNING id, name",
                  {Value::integer(1), Value::text("one"), Value::integer(2), Value::null()}),
            "id|name / 1|'one' / 2|null");
  EXPECT_EQ(query(*database, "DELETE FROM t WHERE id = 2"), "");
  auto outcome = wait(database->run(request(), {"SELECT id, name FROM t"}, Wanted::kRows));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_THAT(outcome->set.columns[1].declared_type, ::testing::AnyOf("VARCHAR(20)", "varchar"));
  EXPECT_EQ(execute(*database, "SELECT id FROM t"), "0") << "rows are not wanted";
}

TEST_P(Conformance, databases_and_owners_do_not_see_each_other) {
  struct Place {
    std::string_view owner, name;
  };
  std::vector<Place> places = {{"a", "bc"},  {"ab", "c"}, {"abc", ""},   {"a", "b+c"},
                               {"a+b", "c"}, {"a", "Bc"}, {"a", "../bc"}};
  std::vector<std::unique_ptr<Database>> databases;
  for (auto place : places) databases.push_back(open(place.name, place.owner));
  for (std::size_t i = 0; i < places.size(); ++i) {
    ASSERT_EQ(execute(*databases[i], "CREATE TABLE t (n BIGINT)"), "0");
    ASSERT_EQ(execute(*databases[i], fmt::format("INSERT INTO t VALUES ({})", i)), "1");
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(query(*open(places[i].name, places[i].owner), "SELECT n FROM t"),
              fmt::format("n / {}", i));
  }
  std::string long_name(kDatabaseNameBytesMax, 'n');
  EXPECT_EQ(execute(*open(long_name, "a"), "CREATE TABLE t (n BIGINT)"), "0");
  auto refused = wait(store_->open(request(), {"a", long_name + "n"}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Failure::Limit>());
}

TEST_P(Conformance, what_was_written_is_there_when_it_is_opened_again) {
  with_table(2).reset();
  start({});
  EXPECT_EQ(query(*open(), "SELECT id FROM t ORDER BY id"), "id / 1 / 2");
}

TEST_P(Conformance, question_marks_are_parameters_and_nothing_else_is) {
  auto database = open();
  EXPECT_EQ(query(*database,
                  "SELECT '?' AS a, /* ? */ n AS \"b?\" -- ?\n FROM (SELECT CAST(? AS INTEGER) AS "
                  "n) AS s WHERE n = ?",
                  {Value::integer(7), Value::integer(7)}),
            "a|b? / '?'|7");
  EXPECT_THAT(to_text(failure_of(*database, "SELECT 1 WHERE 1 = ?")),
              HasSubstr("0 parameters for a statement with 1 question marks"));
  EXPECT_TRUE(
      failure_of(*database, "SELECT 1", {Value::integer(1)}).is<Failure::InvalidParameter>());
  for (const char* text :
       {"SELECT CAST($1 AS INTEGER)", "SELECT CAST(:a AS INTEGER)", "SELECT CAST(?1 AS INTEGER)"}) {
    EXPECT_TRUE(failure_of(*database, text, {Value::integer(1)}).is<Failure::InvalidSql>()) << text;
  }
}

TEST_P(Conformance, one_statement_goes_in_a_call) {
  auto database = with_table(1);
  auto failure = failure_of(*database, "UPDATE t SET n = 1; DELETE FROM t");
  EXPECT_TRUE(failure.is<Failure::InvalidSql>()) << to_text(failure);
  EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 0") << "none of the two was done";
  EXPECT_EQ(query(*database, "SELECT n FROM t; -- the end\n /* of it */ ;"), "n / 0");
  for (const char* empty : {"", "  ", "-- nothing\n", ";"}) {
    EXPECT_TRUE(failure_of(*database, empty).is<Failure::InvalidSql>()) << empty;
  }
}

TEST_P(Conformance, a_statement_neither_begins_nor_ends_a_transaction) {
  auto database = with_table(1);
  for (const char* text : {"BEGIN", "COMMIT", "rollback", "/* a */ SAVEPOINT a", "END"}) {
    auto failure = failure_of(*database, text);
    EXPECT_TRUE(failure.is<Failure::AccessDenied>()) << text << ": " << to_text(failure);
    auto transaction = begin(*database);
    EXPECT_EQ(execute(*transaction, "UPDATE t SET n = 5"), "1");
    failure = failure_of(*transaction, text);
    EXPECT_TRUE(failure.is<Failure::AccessDenied>()) << text << ": " << to_text(failure);
    transaction.reset();
    EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 0") << text;
  }
  EXPECT_TRUE(
      failure_of(*database, "CREATE TEMPORARY TABLE x (n BIGINT)").is<Failure::AccessDenied>());
}

TEST_P(Conformance, failures_are_told_by_their_kind) {
  auto database = open();
  ASSERT_EQ(execute(*database, "CREATE TABLE p (id INTEGER PRIMARY KEY)"), "0");
  ASSERT_EQ(execute(*database,
                    "CREATE TABLE c (id INTEGER PRIMARY KEY, u TEXT UNIQUE, m TEXT NOT NULL, "
                    "p INTEGER REFERENCES p (id), k INTEGER CHECK (k > 0))"),
            "0");
  ASSERT_EQ(execute(*database, "INSERT INTO c VALUES (1, 'u', 'm', NULL, 1)"), "1");
  struct Case {
    const char* row;
    ConstraintKind kind;
  };
  for (auto [row, kind] : {Case{"(1, 'v', 'm', NULL, 1)", ConstraintKind::kUnique},
                           Case{"(2, 'u', 'm', NULL, 1)", ConstraintKind::kUnique},
                           Case{"(2, 'v', NULL, NULL, 1)", ConstraintKind::kNotNull},
                           Case{"(2, 'v', 'm', 77, 1)", ConstraintKind::kForeignKey},
                           Case{"(2, 'v', 'm', NULL, 0)", ConstraintKind::kCheck}}) {
    auto failure = failure_of(*database, fmt::format("INSERT INTO c VALUES {}", row));
    auto* constraint = failure.as<Failure::Constraint>();
    ASSERT_NE(constraint, nullptr) << to_text(failure);
    EXPECT_EQ(constraint->value.kind, kind) << to_text(failure);
    EXPECT_FALSE(constraint->value.message.empty());
  }
  EXPECT_EQ(query(*database, "SELECT count(*) AS n FROM c"), "n / 1");
  for (const char* text : {"SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM c",
                           "SELECT nofunction(1)", "SELECT ("}) {
    auto failure = failure_of(*database, text);
    EXPECT_TRUE(failure.is<Failure::InvalidSql>()) << text << ": " << to_text(failure);
  }
}

TEST_P(Conformance, bounds_are_kept_and_beyond_them_nothing_is_done) {
  auto database = with_table(1);
  std::string comment(kStatementBytesMax, ' ');
  std::string text = "UPDATE t SET n = 1";
  auto failure = failure_of(*database, text + comment);
  EXPECT_TRUE(failure.is<Failure::Limit>()) << to_text(failure);
  comment.resize(kStatementBytesMax - text.size());
  EXPECT_EQ(execute(*database, text + comment), "1");
  std::vector<Value> many(kParametersMax + 1, Value::integer(1));
  failure = failure_of(*database, "UPDATE t SET n = 2", many);
  EXPECT_TRUE(failure.is<Failure::Limit>()) << to_text(failure);
  many.pop_back();
  std::string marks = "?";
  for (std::size_t i = 1; i < many.size(); ++i) marks += ",?";
  EXPECT_EQ(execute(*database, "UPDATE t SET n = 3 WHERE id IN (" + marks + ")", many), "1");
  failure = failure_of(*database, "UPDATE t SET n = 4 WHERE CAST(id AS TEXT) = ?",
                       {Value::text(std::string(kParameterBytesMax, 'x'))});
  EXPECT_TRUE(failure.is<Failure::Limit>()) << to_text(failure);
  EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 3");
}

constexpr std::string_view kCount =
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {}) ";

TEST_P(Conformance, more_rows_or_bytes_than_a_query_may_answer_with_is_a_limit) {
  auto database = open();
  auto rows = [](std::size_t count) {
    return fmt::format(fmt::runtime(kCount), count) + "SELECT i FROM c";
  };
  auto all = wait(database->run(request(), {rows(kResultRowsMax)}, Wanted::kRows));
  ASSERT_TRUE(all.has_value()) << to_text(all.error());
  EXPECT_EQ(all->set.rows.size(), kResultRowsMax);
  auto failure = failure_of(*database, rows(kResultRowsMax + 1));
  EXPECT_TRUE(failure.is<Failure::Limit>()) << to_text(failure);
  std::string large(1 << 20, 'x');
  failure = failure_of(*database,
                       fmt::format(fmt::runtime(kCount), 70) +
                           fmt::format("SELECT CAST(? AS {}) FROM c", GetParam().text_in_cast),
                       {Value::text(large)});
  EXPECT_TRUE(failure.is<Failure::Limit>()) << to_text(failure);
  EXPECT_EQ(query(*database, "SELECT 1 AS one"), "one / 1");
}

TEST_P(Conformance, a_statement_ends_at_its_deadline) {
  auto database = open();
  auto endless = fmt::format(fmt::runtime(kCount), 4'000'000'000'000) + "SELECT count(*) FROM c";
  auto begun = Deadline::Clock::now();
  Request soon{loop_, Deadline::after(std::chrono::milliseconds(200))};
  auto outcome = wait(database->run(soon, {endless}, Wanted::kRows));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().is<Failure::Timeout>()) << to_text(outcome.error());
  EXPECT_LT(Deadline::Clock::now() - begun, std::chrono::seconds(10));
  EXPECT_GE(Deadline::Clock::now() - begun, std::chrono::milliseconds(200));
  EXPECT_EQ(query(*database, "SELECT 1 AS one"), "one / 1");
}

TEST_P(Conformance, the_operators_time_for_a_statement_holds_without_a_deadline) {
  // Long enough for a connection, which is within it, on a busy machine.
  start({.statement = std::chrono::seconds(2)});
  auto database = open();
  auto endless = fmt::format(fmt::runtime(kCount), 4'000'000'000'000) + "SELECT count(*) FROM c";
  auto outcome = wait(database->run({loop_, Deadline::never()}, {endless}, Wanted::kRows));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().is<Failure::Timeout>()) << to_text(outcome.error());
}

// A text that tries to end the place it stands in: quotes, comments, placeholders, words.
std::string hostile(std::mt19937_64& chance) {
  static const std::vector<std::string> kParts = {"'",
                                                  "''",
                                                  "\"",
                                                  "`",
                                                  "\\",
                                                  "\\'",
                                                  ";",
                                                  "--",
                                                  "/*",
                                                  "*/",
                                                  "?",
                                                  "??",
                                                  "$1",
                                                  ":a",
                                                  "@a",
                                                  "$$",
                                                  "$q$",
                                                  " OR 1=1",
                                                  "DROP TABLE t",
                                                  "DELETE FROM t",
                                                  "\n",
                                                  "\t",
                                                  "%",
                                                  "_",
                                                  "x",
                                                  "\u00e9",
                                                  "E'",
                                                  "U&'",
                                                  "\\x27",
                                                  "{}",
                                                  "\u2019",
                                                  ")",
                                                  "(",
                                                  ",",
                                                  "NULL",
                                                  "0x",
                                                  "||",
                                                  "\r"};
  std::string text;
  for (auto parts = chance() % 12; parts-- > 0;) text += kParts[chance() % kParts.size()];
  return text;
}

TEST_P(Conformance, no_parameter_becomes_a_part_of_the_statement) {
  auto database = open();
  ASSERT_EQ(execute(*database, "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)"), "0");
  std::uint64_t seed = std::random_device()();
  std::mt19937_64 chance(seed);
  SCOPED_TRACE(fmt::format("seed {}", seed));
  auto transaction = begin(*database);
  constexpr int kTimes = 500;
  for (int i = 0; i < kTimes; ++i) {
    std::string text = hostile(chance);
    ASSERT_EQ(execute(*transaction, "INSERT INTO t VALUES (?, ?)",
                      {Value::integer(i), Value::text(text)}),
              "1")
        << text;
    ASSERT_EQ(query(*transaction, "SELECT s FROM t WHERE id = ? AND s = ?",
                    {Value::integer(i), Value::text(text)}),
              "s / '" + text + "'");
  }
  EXPECT_EQ(query(*transaction, "SELECT count(*) AS n FROM t"), fmt::format("n / {}", kTimes));
}

TEST_P(Conformance, statements_that_overlap_are_all_answered) {
  auto database = with_table(1);
  std::vector<Answer<Or<Outcome>>> answers;
  for (int i = 0; i < 64; ++i) {
    answers.push_back(database->run(request(), {"UPDATE t SET n = n + 1"}, Wanted::kCount));
    answers.push_back(database->run(request(), {"SELECT n FROM t"}, Wanted::kRows));
  }
  for (auto& each : answers) EXPECT_TRUE(wait(std::move(each)).has_value());
  EXPECT_EQ(query(*database, "SELECT n FROM t"), "n / 64");
}

}  // namespace
}  // namespace weft::sql
