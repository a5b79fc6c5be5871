#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "capabilities/sql/database.h"
#include "capabilities/sql/drivers/sqlite_statement.h"

namespace weft::sql::sqlite {

// Statements that a connection keeps compiled, and how long their text may be.
inline constexpr std::size_t kStatementsKept = 32;
inline constexpr std::size_t kKeptTextBytesMax = 4 << 10;

class Connection;

// A compiled statement, lent by its connection: back in its cache with the object, which goes
// first.
class Prepared {
 public:
  Prepared(Connection& connection, std::string text, sqlite3_stmt* statement)
      : connection_(&connection), text_(std::move(text)), statement_(statement) {}
  Prepared(Prepared&& other) noexcept
      : connection_(other.connection_),
        text_(std::move(other.text_)),
        statement_(std::exchange(other.statement_, nullptr)) {}
  Prepared& operator=(Prepared&&) = delete;
  ~Prepared();

  sqlite3_stmt* get() const { return statement_; }
  bool reads_only() const { return sqlite3_stmt_readonly(statement_) != 0; }

 private:
  Connection* connection_;
  std::string text_;
  sqlite3_stmt* statement_;
};

// One way into a database's file, with what no guest may do switched off. Used by one thread at a
// time; whatever it does ends at the deadline, or when the host stops.
class Connection {
 public:
  enum class Role : std::uint8_t { kReader, kWriter };

  using Stopping = std::shared_ptr<const std::atomic<bool>>;  // Shared with the process's threads.

  // A writer makes the file when there is none.
  static Or<std::unique_ptr<Connection>> open(const std::filesystem::path& file, Role role,
                                              Stopping stopping);
  Connection(const Connection&) = delete;
  ~Connection();

  Or<Prepared> prepare(const std::string& text);

  // Runs a statement to its end.
  Or<Outcome> run(Prepared& prepared, std::span<const Value> parameters, Wanted wanted,
                  Deadline deadline);
  // Goes on with a statement that is bound: rows until one of the bounds is reached. `done` says
  // that there are no more. `reader` is made by the first step.
  Or<std::vector<Row>> fetch(Prepared& prepared, std::optional<RowReader>& reader,
                             std::size_t rows_max, std::size_t bytes_max, bool& done,
                             Deadline deadline);

  Or<void> begin(Access access, Deadline deadline);
  Or<void> commit(Deadline deadline);
  // Always works, or the connection is of no use any more: see `whole`.
  void rollback();
  bool in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

  // A bound for the file, in bytes.
  void set_size_max(std::uint64_t bytes);
  // Whether the file is one of ours and undamaged as far as a glance at it tells.
  Or<void> inspect();

  // The failure that a result code of SQLite's stands for, with its message.
  Failure failure(int code) const;
  // The file cannot be used, and why: logged once, with its name.
  Failure broken(std::string_view what) const;

 private:
  friend class Prepared;
  struct Kept {
    std::string text;
    sqlite3_stmt* statement;
  };

  explicit Connection(Stopping stopping) : stopping_(std::move(stopping)) {}
  Or<void> configure(Role role);
  // Runs words of the driver's own, which the authorizer lets through.
  Or<void> own(const char* text);
  Or<std::int64_t> own_number(const char* text);
  void give_back(std::string text, sqlite3_stmt* statement);
  bool must_stop() const { return stopping_->load() || deadline_.passed(); }

  static int authorize(void* self, int action, const char* first, const char* second,
                       const char* database, const char* trigger);
  static int progress(void* self);
  static int busy(void* self, int times);

  const Stopping stopping_;
  sqlite3* database_ = nullptr;
  std::string file_;
  std::list<Kept> kept_;  // The one that was used last is the first.
  Deadline deadline_ = Deadline::never();
  bool own_ = false;
  std::string denied_;  // What the authorizer refused last.
  mutable bool told_ = false;
};

}  // namespace weft::sql::sqlite
