#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "capabilities/sql/drivers/sqlite_file.h"

namespace weft::sql::sqlite {

// A statement that is being read a few rows at a time. Touched only inside a use of its session.
struct OpenRows {
  std::optional<Prepared> prepared;  // Nothing once the session has ended.
  std::vector<Value> parameters;     // Where the statement's bindings point.
  std::optional<RowReader> reader;
  std::vector<Row> first;  // The row that opening it has read.
  bool done = false;
};

// A seat that is held from call to call, in a transaction of SQLite's: a guest's transaction, or a
// cursor outside of one.
//
// Shared by the guest's object, the work it has on the pool's threads, and the watch. One use at a
// time: `enter` on the loop, the work on a thread of the pool, and there `leave` or `finish`. Left
// alone for too long, or when the guest's object goes, it is rolled back.
class Session final : public Watched, public std::enable_shared_from_this<Session> {
 public:
  Session(Seat seat, Threads& threads, Access access, std::chrono::nanoseconds idle)
      : seat_(std::move(seat)), threads_(threads), access_(access), idle_(idle) {}
  ~Session() override { close(); }

  Access access() const { return access_; }

  // Begins a use, or says why there can be none: it has ended, or is busy.
  Or<void> enter();
  // Ends a use; the session goes on, unless it was dropped meanwhile.
  void leave();
  // Ends a use and the session: what was not committed is rolled back, and `why` is what later uses
  // are told.
  void finish(Failure why);
  // Ends the session when the use that there may be is over. From any thread; does not block.
  void end(Failure why);

  bool look(Deadline::Clock::time_point now) override;

  // Inside a use.
  Connection& connection() { return seat_.connection(); }
  Or<std::shared_ptr<OpenRows>> open_rows(Statement& statement, Deadline deadline);
  Or<std::vector<Row>> fetch(OpenRows& rows, std::uint32_t max, Deadline deadline);
  // Outside of one: the rows are not read any more, and their statement goes with the next use.
  void drop_rows(std::shared_ptr<OpenRows> rows);

 private:
  void close();

  Seat seat_;                                    // Of the use.
  std::vector<std::shared_ptr<OpenRows>> rows_;  // Of the use; shared with the guest's cursors.
  Threads& threads_;
  const Access access_;
  const std::chrono::nanoseconds idle_;

  std::mutex mutex_;  // Guards what follows.
  bool busy_ = false;
  std::optional<Failure> ended_;  // Set: no use begins any more.
  Deadline::Clock::time_point used_ = Deadline::Clock::now();
  std::vector<std::shared_ptr<OpenRows>> dropped_;
};

}  // namespace weft::sql::sqlite
