// Shows what a guest of weft:sql sees: calls the provider with bytes, as the engine does.
#include "wit/weft/sql_0_1_0/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/sql/host.h"
#include "capabilities/sql/sql.h"
#include "capabilities/test_folder.h"
#include "capabilities/testing.h"

namespace weft::sql {
namespace {

using Handle = std::uint32_t;

class DatabaseGuest : public ::testing::Test {
 protected:
  const Offer& offer() { return offer_of(capability_, interface::kName); }

  Or<Handle> open(TestGuest& guest, std::string_view name) {
    return *guest.call<Or<Handle>>(offer(), "open", name);
  }
  Or<std::uint64_t> execute(Handle connection, std::string_view text,
                            std::vector<Value> parameters = {}) {
    return *guest_.call<Or<std::uint64_t>>(offer(), "[method]connection.execute", connection, text,
                                           parameters);
  }
  Or<ResultSet> query(Handle connection, std::string_view text) {
    return *guest_.call<Or<ResultSet>>(offer(), "[method]connection.query", connection, text,
                                       std::vector<Value>());
  }
  Or<Handle> begin(Handle connection) {
    return *guest_.call<Or<Handle>>(
        offer(), "[method]connection.begin", connection,
        TransactionOptions{Isolation::kSerializable, Access::kReadOnly});
  }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  SqlCapability capability_{state_};
  TestGuest guest_{capability_, {.names = {"", "orders"}}};
};

TEST_F(DatabaseGuest, opens_what_was_granted_and_refuses_the_rest) {
  EXPECT_TRUE(open(guest_, "orders").has_value());
  auto refused = open(guest_, "others");
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Failure::AccessDenied>());
  EXPECT_EQ(guest_.resources().size(), 1u);
}

TEST_F(DatabaseGuest, statements_rows_transactions_and_cursors_cross_as_bytes) {
  Handle connection = *open(guest_, "orders");
  ASSERT_EQ(execute(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)"), 0u);
  ASSERT_EQ(execute(connection, "INSERT INTO t VALUES (?, ?), (2, 'b')",
                    {Value::integer(1), Value::text("a")}),
            2u);
  auto rows = query(connection, "SELECT id, s FROM t ORDER BY id");
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(
      *rows,
      (ResultSet{{{"id", "INTEGER"}, {"s", "TEXT"}},
                 {{Value::integer(1), Value::text("a")}, {Value::integer(2), Value::text("b")}}}));

  Handle transaction =
      *guest_
           .call<Or<Handle>>(offer(), "[method]connection.begin", connection, TransactionOptions{})
           .value();
  auto changed =
      *guest_.call<Or<std::uint64_t>>(offer(), "[method]transaction.execute", transaction,
                                      "DELETE FROM t WHERE id = 1", std::vector<Value>());
  EXPECT_EQ(changed, 1u);
  Handle cursor = *guest_
                       .call<Or<Handle>>(offer(), "[method]transaction.open-cursor", transaction,
                                         "SELECT s FROM t", std::vector<Value>())
                       .value();
  EXPECT_EQ(*guest_.call<std::vector<Column>>(offer(), "[method]cursor.columns", cursor),
            (std::vector<Column>{{"s", "TEXT"}}));
  auto next = *guest_.call<Or<std::vector<Row>>>(offer(), "[method]cursor.next", cursor, 10u);
  EXPECT_EQ(next, (std::vector<Row>{{Value::text("b")}}));
  EXPECT_TRUE(
      guest_.call<Or<void>>(offer(), "[method]transaction.commit", transaction)->has_value());
  auto ended = *guest_.call<Or<void>>(offer(), "[method]transaction.rollback", transaction);
  ASSERT_FALSE(ended.has_value());
  EXPECT_TRUE(ended.error().is<Failure::Ended>());
  EXPECT_EQ(query(connection, "SELECT id FROM t")->rows.size(), 1u);
}

TEST_F(DatabaseGuest, apps_do_not_share_databases_and_components_of_one_do) {
  Handle connection = *open(guest_, "orders");
  ASSERT_TRUE(execute(connection, "CREATE TABLE t (n INTEGER)").has_value());
  TestGuest same(capability_, {.any_name = true});
  TestGuest other(capability_, {.any_name = true}, "other app");
  for (auto [guest, there] : {std::pair(&same, true), std::pair(&other, false)}) {
    Handle opened = *open(*guest, "orders");
    auto rows = *guest->call<Or<ResultSet>>(offer(), "[method]connection.query", opened,
                                            "SELECT n FROM t", std::vector<Value>());
    EXPECT_EQ(rows.has_value(), there);
  }
}

TEST_F(DatabaseGuest, an_instance_holds_so_many_transactions_and_no_more) {
  Handle connection = *open(guest_, "orders");
  std::vector<Handle> held;
  // Readers are as many as transactions may be: no more are needed.
  for (std::size_t i = 0; i < kOpenMax; ++i) {
    auto begun = begin(connection);
    ASSERT_TRUE(begun.has_value()) << to_text(begun.error());
    held.push_back(*begun);
  }
  auto refused = begin(connection);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Failure::Limit>()) << to_text(refused.error());
  guest_.resources().drop(held.back());
  EXPECT_TRUE(begin(connection).has_value());
}

TEST_F(DatabaseGuest, settings_of_the_operator_hold_and_wrong_ones_are_told) {
  Use use{.names = {"small"}};
  use.drivers["small"] = {"sqlite", {{"size", Secret("100000")}}};
  TestGuest guest(capability_, use);
  Handle connection = *open(guest, "small");
  auto run = [&](std::string_view text) {
    return *guest.call<Or<std::uint64_t>>(offer(), "[method]connection.execute", connection, text,
                                          std::vector<Value>());
  };
  ASSERT_TRUE(run("CREATE TABLE t (b BLOB)").has_value());
  auto full = run("INSERT INTO t VALUES (zeroblob(200000))");
  ASSERT_FALSE(full.has_value());
  EXPECT_TRUE(full.error().is<Failure::Limit>()) << to_text(full.error());

  use.drivers["small"] = {"sqlite", {{"idle-timeout", Secret("soon")}}};
  auto wrong = capability_.prepare(use);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message(),
              ::testing::HasSubstr("[sql.small]: idle-timeout is no time"));
  use.drivers["small"] = {"oracle", {}};
  EXPECT_EQ(capability_.prepare(use).error().code(), Errc::kUnsupported);
}

}  // namespace
}  // namespace weft::sql
