#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "capabilities/sql/drivers/pooled/pool.h"
#include "io/timer.h"

namespace weft::sql::pooled {

// A connection that a guest holds from call to call, in a transaction: a guest's transaction, or a
// cursor outside of one.
//
// Shared by the guest's object and the work it has under way. On its loop only. One use at a time:
// `enter`, the work, and `leave` or `finish`. Left alone for too long, or when the guest's object
// goes, it is rolled back.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Connections> pool, Times times);
  ~Session();

  // Begins the transaction, and with it the first use.
  Wait<Or<void>> begin(TransactionOptions options, Deadline deadline);

  Or<void> enter();
  // Ends a use; the session goes on, unless it was dropped meanwhile.
  Wait<void> leave();
  // Ends a use and the session, which is rolled back where it is not committed.
  Wait<void> finish(Failure why);
  // Ends the session when the use that there may be is over.
  void end(Failure why);

  Connection& connection() { return *lease_; }
  const System& system() const { return pool_->system(); }
  Loop& loop() const { return pool_->loop(); }
  Times times() const { return times_; }
  CursorNumber next_cursor() { return ++cursors_; }
  // A cursor whose object has gone, outside of a use; and what closes all of those, inside of one.
  void drop_cursor(CursorNumber number);
  Wait<Or<void>> close_dropped(Deadline deadline);

 private:
  Wait<void> close();

  std::shared_ptr<Connections> pool_;  // Shared with the databases of its loop.
  const Times times_;
  Lease lease_;
  Timer idle_;
  bool busy_ = true;
  std::optional<Failure> ended_;
  CursorNumber cursors_ = 0;
  std::vector<CursorNumber> dropped_;  // No more than were opened since the last ones were closed.
};

}  // namespace weft::sql::pooled
