// Shows what a driver's transactions and cursors promise: all or nothing, what others see, what
// ends them, and that many at once lose nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "capabilities/sql/conformance.h"

namespace weft::sql {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kUpdate = "UPDATE t SET n = n + 1 WHERE id = 1";
constexpr std::string_view kSelect = "SELECT n FROM t WHERE id = 1";

// Rows that a cursor gives, in steps of so many, as text: "1|2, 3".
std::string all_of(Loop& loop, Request request, Cursor& cursor, std::uint32_t step) {
  std::string text;
  for (;;) {
    auto rows = await(loop, cursor.next(request, step));
    if (!rows) return text + "! " + to_text(rows.error());
    if (rows->empty()) return text;
    if (!text.empty()) text += ", ";
    for (std::size_t i = 0; i < rows->size(); ++i) {
      text += (i == 0 ? "" : "|") + show((*rows)[i].at(0));
    }
  }
}

TEST_P(Transactions, a_commit_makes_all_of_it_and_a_rollback_none) {
  auto database = with_table(2);
  auto transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, "UPDATE t SET n = 1"), "2");
  EXPECT_EQ(execute(*transaction, "INSERT INTO t VALUES (3, 1)"), "1");
  EXPECT_EQ(query(*transaction, "SELECT count(*) AS c FROM t WHERE n = 1"), "c / 3");
  EXPECT_TRUE(wait(transaction->commit(request())).has_value());
  EXPECT_EQ(query(*database, "SELECT count(*) AS c FROM t WHERE n = 1"), "c / 3");

  transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, "DELETE FROM t"), "3");
  EXPECT_TRUE(wait(transaction->rollback(request())).has_value());
  EXPECT_EQ(query(*database, "SELECT count(*) AS c FROM t"), "c / 3");
}

TEST_P(Transactions, one_that_is_dropped_is_rolled_back) {
  auto database = with_table(1);
  {
    auto transaction = begin(*database);
    EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
  }
  EXPECT_EQ(query(*database, std::string(kSelect)), "n / 0");
  // Dropped while a statement of it runs.
  {
    auto transaction = begin(*database);
    auto answer = transaction->run(request(), {std::string(kUpdate)}, Wanted::kCount);
    transaction.reset();
    static_cast<void>(wait(std::move(answer)));
  }
  EXPECT_EQ(execute(*database, std::string(kUpdate)), "1");
  EXPECT_EQ(query(*database, std::string(kSelect)), "n / 1");
}

TEST_P(Transactions, what_is_over_is_ended) {
  auto database = with_table(1);
  auto committed = begin(*database);
  EXPECT_TRUE(wait(committed->commit(request())).has_value());
  auto rolled_back = begin(*database);
  EXPECT_TRUE(wait(rolled_back->rollback(request())).has_value());
  for (Transaction* each : {committed.get(), rolled_back.get()}) {
    EXPECT_TRUE(failure_of(*each, std::string(kSelect)).is<Failure::Ended>());
    for (auto outcome : {wait(each->commit(request())), wait(each->rollback(request()))}) {
      ASSERT_FALSE(outcome.has_value());
      EXPECT_TRUE(outcome.error().is<Failure::Ended>()) << to_text(outcome.error());
    }
    auto cursor = wait(each->open_cursor(request(), {std::string(kSelect)}));
    ASSERT_FALSE(cursor.has_value());
    EXPECT_TRUE(cursor.error().is<Failure::Ended>());
  }
}

TEST_P(Transactions, a_statement_that_fails_ends_its_transaction) {
  auto database = with_table(2);
  struct Case {
    std::string text;
    std::vector<Value> parameters = {};
  };
  for (const auto& [text, parameters] :
       {Case{"INSERT INTO t VALUES (2, 0)"}, Case{"SELECT nonsense"},
        Case{"SELECT ?", {Value::date("no date")}}, Case{"SELECT n FROM t WHERE id = ?"}}) {
    auto transaction = begin(*database);
    EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
    static_cast<void>(failure_of(*transaction, text, parameters));
    auto failure = failure_of(*transaction, std::string(kSelect));
    EXPECT_TRUE(failure.is<Failure::Ended>()) << text << ": " << to_text(failure);
    EXPECT_EQ(query(*database, std::string(kSelect)), "n / 0") << text;
    auto outcome = wait(transaction->commit(request()));
    ASSERT_FALSE(outcome.has_value());
    EXPECT_TRUE(outcome.error().is<Failure::Ended>()) << to_text(outcome.error());
  }
}

TEST_P(Transactions, others_see_what_is_committed_and_nothing_before) {
  auto database = with_table(1);
  auto other = open();
  for (Isolation each :
       {Isolation::kReadCommitted, Isolation::kRepeatableRead, Isolation::kSerializable}) {
    ASSERT_EQ(execute(*database, "UPDATE t SET n = 0"), "1");
    auto transaction = begin(*database, each);
    EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
    EXPECT_EQ(query(*transaction, std::string(kSelect)), "n / 1");
    EXPECT_EQ(query(*other, std::string(kSelect)), "n / 0");
    auto reader = begin(*other, each, Access::kReadOnly);
    EXPECT_EQ(query(*reader, std::string(kSelect)), "n / 0");
    EXPECT_TRUE(wait(transaction->commit(request())).has_value());
    EXPECT_EQ(query(*other, std::string(kSelect)), "n / 1");
    if (each != Isolation::kReadCommitted) {
      EXPECT_EQ(query(*reader, std::string(kSelect)), "n / 0") << "of the moment it began";
    }
  }
}

TEST_P(Transactions, a_read_only_one_writes_nothing) {
  auto database = with_table(1);
  auto transaction = begin(*database, Isolation::kSerializable, Access::kReadOnly);
  EXPECT_EQ(query(*transaction, std::string(kSelect)), "n / 0");
  auto failure = failure_of(*transaction, std::string(kUpdate));
  EXPECT_TRUE(failure.is<Failure::AccessDenied>()) << to_text(failure);
  EXPECT_EQ(query(*database, std::string(kSelect)), "n / 0");
}

TEST_P(Transactions, two_statements_of_one_at_once_are_busy) {
  auto database = with_table(1);
  auto transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
  // Long enough to be under way when the second comes.
  std::string slow =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000000) "
      "SELECT count(*) FROM c";
  auto first = transaction->run(request(), {slow}, Wanted::kRows);
  auto second = wait(transaction->run(request(), {std::string(kUpdate)}, Wanted::kCount));
  EXPECT_TRUE(wait(std::move(first)).has_value());
  ASSERT_FALSE(second.has_value());
  EXPECT_TRUE(second.error().is<Failure::Busy>()) << to_text(second.error());
  // It goes on.
  EXPECT_EQ(query(*transaction, std::string(kSelect)), "n / 1");
  EXPECT_TRUE(wait(transaction->commit(request())).has_value());
}

TEST_P(Transactions, one_that_nobody_uses_is_rolled_back) {
  with_table(1).reset();
  start({.idle = std::chrono::milliseconds(500)});
  auto database = open();
  auto transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
  // Waits for the row, until the idle one lets it go.
  EXPECT_EQ(execute(*database, std::string(kUpdate)), "1");
  auto failure = failure_of(*transaction, std::string(kSelect));
  ASSERT_TRUE(failure.is<Failure::Ended>()) << to_text(failure);
  EXPECT_THAT(to_text(failure), HasSubstr("too long"));
  EXPECT_EQ(query(*database, std::string(kSelect)), "n / 1");
}

TEST_P(Transactions, who_waits_for_another_waits_no_longer_than_its_deadline) {
  auto database = with_table(1);
  auto transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
  Request soon{loop_, Deadline::after(std::chrono::milliseconds(200))};
  auto outcome = wait(database->run(soon, {std::string(kUpdate)}, Wanted::kCount));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().is<Failure::Timeout>()) << to_text(outcome.error());
  EXPECT_TRUE(wait(transaction->commit(request())).has_value());
  EXPECT_EQ(query(*database, std::string(kSelect)), "n / 1") << "the late one was not done";
}

// Adds one to what it reads, in a transaction; once more when another was in the way.
std::string increment(Loop& loop, Database& database, Isolation isolation) {
  Request request{loop, Deadline::after(std::chrono::seconds(60))};
  constexpr int kAttemptsMax = 10'000;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto step = [&](auto answer) { return await(loop, std::move(answer)); };
    auto transaction = step(database.begin(request, {isolation, Access::kReadWrite}));
    if (!transaction) return to_text(transaction.error());
    auto read = step((*transaction)->run(request, {std::string(kSelect)}, Wanted::kRows));
    if (!read && read.error().is<Failure::Conflict>()) continue;
    if (!read) return to_text(read.error());
    auto next = read->set.rows.at(0).at(0).as<Value::Integer>()->value + 1;
    auto written =
        step((*transaction)
                 ->run(request, {"UPDATE t SET n = ? WHERE id = 1", {Value::integer(next)}},
                       Wanted::kCount));
    if (!written && written.error().is<Failure::Conflict>()) continue;
    if (!written) return to_text(written.error());
    auto done = step((*transaction)->commit(request));
    if (!done && done.error().is<Failure::Conflict>()) continue;
    return done ? "" : to_text(done.error());
  }
  return "too many conflicts";
}

TEST_P(Transactions, sixty_four_at_once_that_read_and_write_lose_nothing) {
  auto database = with_table(1);
  constexpr int kThreads = 8;
  constexpr int kEach = 8;
  std::vector<std::string> failures(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads * kEach; ++i) {
    threads.emplace_back([&, i] {
      Loop loop;
      auto mine = backend_->store(loop);
      Request request{loop, Deadline::after(std::chrono::seconds(60))};
      auto other = must(await(loop, mine->open(request, {"app", ""})));
      auto isolation = i % 2 == 0 ? Isolation::kRepeatableRead : Isolation::kSerializable;
      failures[static_cast<std::size_t>(i)] = increment(loop, *other, isolation);
    });
  }
  for (auto& each : threads) each.join();
  for (const auto& each : failures) EXPECT_EQ(each, "");
  EXPECT_EQ(query(*database, std::string(kSelect)), fmt::format("n / {}", kThreads * kEach));
}

TEST_P(Transactions, a_cursor_gives_all_rows_a_few_at_a_time) {
  auto database = with_table(25);
  for (std::uint32_t step : {1u, 2u, 7u, 25u, 1000u, 4'000'000'000u}) {
    auto cursor =
        must(wait(database->open_cursor(request(), {"SELECT id AS \"Id\", n FROM t ORDER BY id"})));
    ASSERT_EQ(cursor->columns().size(), 2u);
    EXPECT_EQ(cursor->columns()[0].name, "Id");
    std::string expected;
    for (std::uint32_t i = 1; i <= 25; ++i) {
      if (i > 1) expected += (i - 1) % step == 0 ? ", " : "|";
      expected += std::to_string(i);
    }
    EXPECT_EQ(all_of(loop_, request(), *cursor, step), expected) << step;
    auto after = wait(cursor->next(request(), 1));
    ASSERT_TRUE(after.has_value());
    EXPECT_TRUE(after->empty());
  }
  auto none = must(wait(
      database->open_cursor(request(), {"SELECT id FROM t WHERE id = ?", {Value::integer(99)}})));
  EXPECT_EQ(none->columns().size(), 1u);
  EXPECT_EQ(all_of(loop_, request(), *none, 5), "");
}

TEST_P(Transactions, a_cursor_has_the_rows_of_the_moment_it_was_opened) {
  auto database = with_table(3);
  auto cursor = must(wait(database->open_cursor(request(), {"SELECT n FROM t ORDER BY id"})));
  EXPECT_EQ(execute(*database, "UPDATE t SET n = 7"), "3");
  EXPECT_EQ(execute(*database, "INSERT INTO t VALUES (4, 7)"), "1");
  EXPECT_EQ(all_of(loop_, request(), *cursor, 2), "0|0, 0");
  cursor = must(wait(database->open_cursor(request(), {"SELECT n FROM t ORDER BY id"})));
  EXPECT_EQ(all_of(loop_, request(), *cursor, 9), "7|7|7|7");
}

TEST_P(Transactions, a_cursor_only_reads) {
  auto database = with_table(1);
  auto transaction = begin(*database);
  for (Runner* each :
       {static_cast<Runner*>(database.get()), static_cast<Runner*>(transaction.get())}) {
    auto cursor = wait(each->open_cursor(request(), {"UPDATE t SET n = 9 RETURNING n"}));
    ASSERT_FALSE(cursor.has_value());
    EXPECT_TRUE(cursor.error().is<Failure::InvalidSql>()) << to_text(cursor.error());
  }
  transaction.reset();
  EXPECT_EQ(query(*database, std::string(kSelect)), "n / 0");
}

TEST_P(Transactions, a_cursor_in_a_transaction_ends_with_it) {
  auto database = with_table(3);
  auto transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, "UPDATE t SET n = id"), "3");
  auto cursor = must(wait(transaction->open_cursor(request(), {"SELECT n FROM t ORDER BY id"})));
  auto dropped = must(wait(transaction->open_cursor(request(), {"SELECT id FROM t"})));
  dropped.reset();
  auto first = wait(cursor->next(request(), 1));
  ASSERT_TRUE(first.has_value()) << to_text(first.error());
  EXPECT_EQ(show(first->at(0).at(0)), "1");
  EXPECT_EQ(query(*transaction, "SELECT count(*) AS c FROM t"), "c / 3") << "beside the cursor";
  EXPECT_EQ(all_of(loop_, request(), *cursor, 9), "2|3");
  EXPECT_TRUE(wait(transaction->commit(request())).has_value());
  auto after = wait(cursor->next(request(), 1));
  ASSERT_FALSE(after.has_value());
  EXPECT_TRUE(after.error().is<Failure::Ended>()) << to_text(after.error());
  EXPECT_EQ(query(*database, "SELECT n FROM t ORDER BY id"), "n / 1 / 2 / 3");
}

TEST_P(Transactions, a_cursor_hands_out_no_more_bytes_than_the_bound_but_a_row_at_least) {
  auto database = open();
  ASSERT_EQ(execute(*database, fmt::format("CREATE TABLE b (id INTEGER PRIMARY KEY, s {})",
                                           GetParam().type("TEXT"))),
            "0");
  std::string large(kFetchBytesMax / 2 + 1, 'x');
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(
        execute(*database, "INSERT INTO b VALUES (?, ?)", {Value::integer(i), Value::text(large)}),
        "1");
  }
  auto cursor = must(wait(database->open_cursor(request(), {"SELECT id, s FROM b ORDER BY id"})));
  auto first = must(wait(cursor->next(request(), 100)));
  EXPECT_GE(first.size(), 1u);
  EXPECT_LT(first.size(), 3u);
  std::size_t seen = first.size();
  while (seen < 3) {
    auto more = must(wait(cursor->next(request(), 100)));
    ASSERT_FALSE(more.empty());
    seen += more.size();
  }
  EXPECT_TRUE(must(wait(cursor->next(request(), 100))).empty());
}

TEST_P(Transactions, a_cursor_that_nobody_reads_is_closed) {
  with_table(3).reset();
  start({.idle = std::chrono::milliseconds(400)});
  auto database = open();
  auto cursor = must(wait(database->open_cursor(request(), {"SELECT id FROM t"})));
  // Outlasts the idle time by waiting for a transaction that does.
  auto transaction = begin(*database);
  EXPECT_EQ(execute(*transaction, std::string(kUpdate)), "1");
  EXPECT_EQ(execute(*database, std::string(kUpdate)), "1");
  auto rows = wait(cursor->next(request(), 1));
  ASSERT_FALSE(rows.has_value());
  EXPECT_TRUE(rows.error().is<Failure::Ended>()) << to_text(rows.error());
}

}  // namespace
}  // namespace weft::sql
