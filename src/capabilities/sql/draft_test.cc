// Shows what a guest of wasi:sql@0.2.0-draft sees: calls the providers with bytes, as the engine
// does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/sql/sql.h"
#include "capabilities/test_folder.h"
#include "capabilities/testing.h"
#include "wit/wasi/sql_0_2_0_draft/types.h"

namespace weft::sql {
namespace {

using wit::wasi::sql_0_2_0_draft::types::DataType;
using Cell = wit::wasi::sql_0_2_0_draft::types::Row;
using Handle = std::uint32_t;
template <class T>
using OrHandle = std::expected<T, Handle>;

class DraftGuest : public ::testing::Test {
 protected:
  const Offer& types() { return offer_of(capability_, "wasi:sql/types@0.2.0-draft"); }
  const Offer& readwrite() { return offer_of(capability_, "wasi:sql/readwrite@0.2.0-draft"); }

  OrHandle<Handle> open(std::string_view name) {
    return *guest_.call<OrHandle<Handle>>(types(), "[static]connection.open", name);
  }
  Handle prepare(std::string_view text, std::vector<std::string> parameters = {}) {
    return **guest_.call<OrHandle<Handle>>(types(), "[static]statement.prepare", text, parameters);
  }
  // The cells, or the error's words.
  std::expected<std::vector<Cell>, std::string> query(Handle connection, Handle statement) {
    auto cells =
        *guest_.call<OrHandle<std::vector<Cell>>>(readwrite(), "query", connection, statement);
    if (!cells) return std::unexpected(trace(cells.error()));
    return *std::move(cells);
  }
  std::string exec(Handle connection, Handle statement) {
    auto count = *guest_.call<OrHandle<std::uint32_t>>(readwrite(), "exec", connection, statement);
    return count ? std::to_string(*count) : trace(count.error());
  }
  std::string trace(Handle error) {
    return *guest_.call<std::string>(types(), "[method]error.trace", error);
  }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  SqlCapability capability_{state_};
  TestGuest guest_{capability_, {.names = {"orders"}}};
};

TEST_F(DraftGuest, cells_come_row_by_row_with_their_columns_names) {
  Handle connection = *open("orders");
  EXPECT_EQ(exec(connection, prepare("CREATE TABLE t (id INTEGER PRIMARY KEY, b BOOLEAN, r REAL, "
                                     "d DECIMAL(5,2), w TIMESTAMPTZ, x BLOB, n TEXT)")),
            "0");
  Handle insert = prepare(
      "INSERT INTO t VALUES (?, TRUE, 0.5, ?, '2026-11-26 10:00:00', x'ff', NULL)", {"1", "2.5"});
  EXPECT_EQ(exec(connection, insert), "1");
  // The same statement again.
  EXPECT_EQ(exec(connection, insert).substr(0, 10), "constraint");
  auto cells = query(connection, prepare("SELECT * FROM t WHERE id = ?", {"1"}));
  ASSERT_TRUE(cells.has_value()) << cells.error();
  EXPECT_EQ(*cells, (std::vector<Cell>{{"id", DataType::int64(1)},
                                       {"b", DataType::boolean(true)},
                                       {"r", DataType::double_(0.5)},
                                       {"d", DataType::str("2.50")},
                                       {"w", DataType::timestamp("2026-11-26T10:00:00Z")},
                                       {"x", DataType::binary({0xff})},
                                       {"n", DataType::null()}}));
  EXPECT_TRUE(query(connection, prepare("SELECT * FROM t WHERE id = 7"))->empty());
}

TEST_F(DraftGuest, what_is_wrong_is_told_in_words_and_does_not_trap) {
  auto refused = open("others");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(trace(refused.error()), ::testing::StartsWith("access-denied"));
  Handle connection = *open("orders");
  Handle nonsense = prepare("SELEC 1");
  EXPECT_THAT(query(connection, nonsense).error(), ::testing::StartsWith("invalid-sql"));
  EXPECT_THAT(exec(connection, nonsense), ::testing::StartsWith("invalid-sql"));
  auto large = *guest_.call<OrHandle<Handle>>(types(), "[static]statement.prepare",
                                              std::string(kStatementBytesMax + 1, ' '),
                                              std::vector<std::string>());
  ASSERT_FALSE(large.has_value());
  EXPECT_THAT(trace(large.error()), ::testing::StartsWith("limit"));
}

}  // namespace
}  // namespace weft::sql
