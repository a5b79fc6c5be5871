#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "capabilities/sql/value.h"
#include "door/answer.h"

namespace weft {
class Loop;
}  // namespace weft

// What a SQL driver implements. The README says what each operation promises; the conformance suite
// holds every driver to it.
namespace weft::sql {

// Bounds that hold for every driver, so that an app that runs on one runs on another.
inline constexpr std::size_t kDatabaseNameBytesMax = 250;
inline constexpr std::size_t kStatementBytesMax = 1 << 20;
inline constexpr std::size_t kParametersMax = 32'766;
inline constexpr std::size_t kParameterBytesMax = 64 << 20;
// Of what a query answers with, all at once.
inline constexpr std::size_t kResultRowsMax = 100'000;
inline constexpr std::size_t kResultBytesMax = 64 << 20;
// Of what one step of a cursor answers with; one row comes whatever it weighs.
inline constexpr std::size_t kFetchRowsMax = 10'000;
inline constexpr std::size_t kFetchBytesMax = 4 << 20;
// Statements that wait for their turn at one database.
inline constexpr std::size_t kWaitingMax = 1024;

// How long things may take.
struct Times {
  std::chrono::nanoseconds statement = std::chrono::seconds(30);
  // How long a transaction or a cursor may be left alone before it is ended.
  std::chrono::nanoseconds idle = std::chrono::seconds(10);
};

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

struct DatabaseName {
  std::string_view owner;  // whose database: those of two owners never meet
  std::string_view name;   // what the guest calls it; the empty name is the default one
};

// One statement and what stands for its question marks. A driver gets it checked.
struct Statement {
  std::string text;
  std::vector<Value> parameters = {};
};

// What is wanted of a statement: its rows, or only how many it changed.
enum class Wanted : std::uint8_t { kRows, kCount };

struct Outcome {
  ResultSet set = {};          // Where kRows was wanted.
  std::uint64_t affected = 0;  // Rows inserted, changed or deleted.
};

// Rows of a reading statement, a few at a time, as they were when it was opened. Closed with the
// object, which lives on its loop.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual const std::vector<Column>& columns() const = 0;
  // At most `max` rows and kFetchBytesMax, but one row at least; none when all were read. One at a
  // time: a second one meanwhile is busy.
  virtual Answer<Or<std::vector<Row>>> next(Request request, std::uint32_t max) = 0;
};

// What runs statements: a database, where each is a transaction of its own, or a transaction.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual Answer<Or<Outcome>> run(Request request, Statement statement, Wanted wanted) = 0;
  // For a statement that only reads; a writing one is invalid-sql.
  virtual Answer<Or<std::unique_ptr<Cursor>>> open_cursor(Request request, Statement statement) = 0;
};

// Statements that take effect together. Dropped before it has ended, it is rolled back; a statement
// that fails, other than as busy, rolls it back too. One statement at a time: a second one
// meanwhile is busy. Lives on its loop, and may outlive its database.
class Transaction : public Runner {
 public:
  virtual Answer<Or<void>> commit(Request request) = 0;
  virtual Answer<Or<void>> rollback(Request request) = 0;
};

// One database, as one loop reaches it. Calls may overlap.
class Database : public Runner {
 public:
  virtual Answer<Or<std::unique_ptr<Transaction>>> begin(Request request,
                                                         TransactionOptions options) = 0;
};

// The databases of one backend, as one loop reaches them.
class Store {
 public:
  virtual ~Store() = default;
  // The database, made when there is none yet. It holds what it needs of the store, and may outlive
  // it.
  virtual Answer<Or<std::unique_ptr<Database>>> open(Request request, DatabaseName name) = 0;
};

// What comes before every driver's work: bounds, and the form of each parameter, which is made the
// one that comes back.
Or<void> check_database(DatabaseName name);
Or<void> check_statement(Statement& statement);

}  // namespace weft::sql
