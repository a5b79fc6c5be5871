#pragma once

#include <mysql.h>

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/secret.h"
#include "capabilities/sql/drivers/mysql/values.h"
#include "capabilities/sql/drivers/pooled/wait.h"

namespace weft::sql::mysql {

using pooled::Bounds;
using pooled::CursorNumber;
using pooled::Ready;
using pooled::Wait;

// How long a server that was asked to stop may take to say so, before its session is given up.
inline constexpr std::chrono::seconds kStopping{2};
// Statements that one connection keeps prepared, and the size beyond which it does not.
inline constexpr std::size_t kPreparedMax = 64;
inline constexpr std::size_t kPreparedBytesMax = 16 * 1024;

// Where a server is, and as whom.
struct Target {
  std::string host;
  std::uint16_t port = 0;
  std::string user;
  Secret password;
  bool tls = false;
  std::string authorities = {};  // A file in PEM form; empty: the system's.
  Times times = {};
  std::shared_ptr<remote::Health> health;  // Shared by all loops' connections, and who shows it.
};

// A session with a server. As pooled::Connection.
//
// `helpers` runs what of libmariadb would block: connecting. They outlive it.
class Connection final : public pooled::Connection {
 public:
  // `database` is made when it is not there.
  static Wait<Or<std::unique_ptr<Connection>>> open(Loop& loop, Pool& helpers,
                                                    std::shared_ptr<const Target> target,
                                                    std::string database, Deadline deadline);
  // One that is let in and not set up: it serves to see that, and to stop another's statement.
  static Wait<Or<std::unique_ptr<Connection>>> bare(Loop& loop, Pool& helpers,
                                                    std::shared_ptr<const Target> target,
                                                    Deadline deadline);
  Connection(const Connection&) = delete;
  ~Connection() override;

  // At the deadline the server is asked to stop, and then what it says counts.
  Wait<Or<Outcome>> run(const Ready& statement, Wanted wanted, Bounds bounds,
                        Deadline deadline) override;
  Wait<Or<void>> begin(TransactionOptions options, Deadline deadline) override;
  Wait<Or<void>> commit(Deadline deadline) override;
  Wait<Or<void>> rollback(Deadline deadline) override;
  Wait<Or<void>> open_cursor(CursorNumber number, const Ready& statement,
                             Deadline deadline) override;
  Wait<Or<ResultSet>> fetch(CursorNumber number, std::size_t rows, Deadline deadline) override;
  Wait<Or<void>> close(std::span<const CursorNumber> numbers, Deadline deadline) override;
  bool usable() override;
  bool broken() const override { return broken_; }

 private:
  // Freed when its session has been.
  struct Prepared {
    MYSQL_STMT* handle = nullptr;
    std::string text = {};
    std::unique_ptr<RowReader> reader = nullptr;  // Null until rows were read.
  };
  // At the server, or with its rows here where the server keeps none.
  struct OpenCursor {
    Prepared statement;
    ResultSet rows = {};
    std::size_t next = 0;
    bool buffered = false;
    bool done = false;
  };

  Connection(Loop& loop, Pool& helpers, std::shared_ptr<const Target> target,
             std::shared_ptr<MYSQL> handle);

  Wait<Or<void>> set_up(std::string database, Deadline deadline);
  // The driver's own words: one statement without rows.
  Wait<Or<void>> say(std::string text, Deadline deadline);

  // Drives one operation of libmariadb: `start` and `go_on` say what it waits for, 0 at its end.
  // False where it was given up: then the session is broken, and the operation is still open in it.
  template <class Start, class GoOn>
  Wait<bool> drive(Start start, GoOn go_on, Deadline deadline);
  Wait<void> ask_to_stop(Deadline deadline);

  Wait<Or<Prepared>> prepare(const std::string& text, Deadline deadline);
  // Out of those that are kept, or new. Held by its caller until `keep` or `drop`.
  Wait<Or<Prepared>> take(const std::string& text, Deadline deadline);
  Wait<void> keep(Prepared statement);
  Wait<void> drop(Prepared statement);
  Wait<Or<void>> execute(Prepared& statement, Parameters& parameters, Deadline deadline);
  Wait<Or<Outcome>> answer(Prepared& statement, std::string_view first_word, Wanted wanted,
                           Bounds bounds, Deadline deadline);
  // The next row, or nothing at the end.
  Wait<Or<std::optional<Row>>> next_row(Prepared& statement, std::size_t& bytes, Deadline deadline);

  Wait<void> ended();

  Failure given_up();
  Failure failed_statement(MYSQL_STMT* statement);
  Failure failed_session();
  unsigned server_status();

  Loop& loop_;
  Pool& helpers_;
  std::shared_ptr<const Target> target_;
  std::shared_ptr<MYSQL> shared_;
  MYSQL* handle_;
  pooled::Socket socket_;
  std::list<Prepared> kept_;  // The one that was used last is the first.
  std::unordered_map<std::string_view, std::list<Prepared>::iterator> by_text_;
  std::map<CursorNumber, OpenCursor> cursors_;
  bool snapshots_ = false;  // The server tells a conflict where a snapshot is old.
  bool in_transaction_ = false;
  bool stops_ = false;  // It is set up: statements that take too long are stopped.
  bool open_ = false;   // An operation of libmariadb is under way.
  bool asked_ = false;  // To stop the statement that runs.
  bool broken_ = false;
  bool spoiled_ = false;  // Something may be left in it: nobody else gets it.
};

}  // namespace weft::sql::mysql
