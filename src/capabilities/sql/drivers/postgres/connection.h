#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "capabilities/sql/drivers/pooled/wait.h"
#include "capabilities/sql/drivers/postgres/prepared.h"
#include "capabilities/sql/drivers/postgres/values.h"

namespace weft::sql::postgres {

using pooled::Bounds;
using pooled::CursorNumber;
using pooled::Ready;
using pooled::Wait;

// How long a server that was asked to stop may take to say so, before its session is given up.
inline constexpr std::chrono::seconds kStopping{2};
// What libpq may keep of a row that is not complete: bytes come as two digits each.
inline constexpr std::size_t kIncompleteBytesMax = 2 * kResultBytesMax + (1UL << 20);

// Where a server is, and as whom. The password is in `settings` alone.
struct Target {
  // libpq's own words and their values; of one that is said twice the last holds, a URL's among
  // them.
  std::vector<std::pair<std::string, Secret>> settings;
  // What the server does for itself where this host is gone.
  Times times = {};
  std::shared_ptr<remote::Health> health;  // Shared by all loops' connections, and who shows it.
};

// A session with a server. As pooled::Connection.
//
// `helpers` runs what of libpq would block, all of connecting. They outlive it.
class Connection final : public pooled::Connection {
 public:
  // `schema` is made when it is not there; empty: what the server has for the role. The target is
  // shared with the sessions that stop this one's statements.
  static Wait<Or<std::unique_ptr<Connection>>> open(Loop& loop, Pool& helpers,
                                                    std::shared_ptr<const Target> target,
                                                    std::string schema, Deadline deadline);
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
  bool alive() override;
  bool broken() const override { return broken_; }

 private:
  // What a statement gives: as an Outcome, and the command that the server says it did.
  struct Done {
    Outcome outcome;
    std::string command;
  };

  Connection(Loop& loop, Pool& helpers, std::shared_ptr<const Target> target,
             std::shared_ptr<PGconn> handle);

  Wait<Or<void>> connect(Deadline deadline);
  Wait<Or<void>> set_up(std::string schema, Deadline deadline);

  // The driver's own words, without parameters and rows: one statement, or several.
  Wait<Or<Done>> say(std::string text, Deadline deadline);
  // One statement as it is, or as it was prepared under a name.
  Wait<Or<Done>> run_as(const std::string& name, const Ready& statement,
                        const Parameters& parameters, Wanted wanted, Bounds bounds,
                        Deadline deadline);
  Wait<Or<void>> prepare(Prepared::Entry& entry, const Ready& statement,
                         const Parameters& parameters, Deadline deadline);
  Wait<Or<void>> send(Deadline deadline);
  // What comes of a statement that was handed to libpq.
  Wait<Or<Done>> finish(Wanted wanted, Bounds bounds, Deadline deadline);
  // The next result, or null when the statement is over.
  Wait<Or<PGresult*>> next(Deadline deadline);
  Wait<void> ask_to_stop(Deadline deadline);
  bool too_much_waits();
  Failure lost();
  Failure lost_with_statement();

  Loop& loop_;
  Pool& helpers_;
  std::shared_ptr<const Target> target_;
  // Shared with the work of `helpers`, which may go on when this was given up.
  std::shared_ptr<PGconn> shared_;
  PGconn* handle_;
  pooled::Socket socket_;
  Prepared prepared_;
  std::string failed_state_;          // What the server called the failure of the last statement.
  std::size_t incomplete_bytes_ = 0;  // That came since the last result.
  bool stops_ = false;                // It is set up: statements that take too long are stopped.
  bool broken_ = false;
  bool spoiled_ = false;  // Something may be left in it: nobody else gets it.
};

}  // namespace weft::sql::postgres
