#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "capabilities/sql/database.h"

namespace weft::remote {
class Health;
}

namespace weft::sql::pooled {

// Work that waits on a loop. Nothing asks it to stop: it ends by itself, at its deadline at the
// latest.
template <class T>
using Wait = boost::asio::awaitable<T>;

// A statement as its server takes it, once it is one that guests may send.
struct Ready {
  std::string text;
  std::vector<Value> parameters = {};
  // It may leave something behind in its connection, which then is not used again.
  bool leaves_traces = false;
};

// How much of a result is taken; beyond it the statement is given up as `limit`.
struct Bounds {
  std::size_t rows = kResultRowsMax;
  std::size_t bytes = kResultBytesMax;
};

// Of the cursors of one connection.
using CursorNumber = std::uint64_t;

// A session with a server. On its loop only, one call at a time.
//
// A call that failed may have broken it; then every further one fails too.
class Connection {
 public:
  virtual ~Connection() = default;

  virtual Wait<Or<Outcome>> run(const Ready& statement, Wanted wanted, Bounds bounds,
                                Deadline deadline) = 0;

  virtual Wait<Or<void>> begin(TransactionOptions options, Deadline deadline) = 0;
  virtual Wait<Or<void>> commit(Deadline deadline) = 0;
  virtual Wait<Or<void>> rollback(Deadline deadline) = 0;

  // Cursors of the transaction that it is in, under numbers that were not used before. `close`
  // takes also those that were never opened.
  virtual Wait<Or<void>> open_cursor(CursorNumber number, const Ready& statement,
                                     Deadline deadline) = 0;
  virtual Wait<Or<ResultSet>> fetch(CursorNumber number, std::size_t rows, Deadline deadline) = 0;
  virtual Wait<Or<void>> close(std::span<const CursorNumber> numbers, Deadline deadline) = 0;

  // Whether another may have it next: whole, in no transaction, nothing left behind in it.
  virtual bool usable() = 0;
  // Of a usable one: the server has not gone since it was used. Looks at the socket.
  virtual bool alive() { return true; }
  virtual bool broken() const = 0;
};

// A system as an operator chose it. Shared by all loops; immutable.
class System {
 public:
  virtual ~System() = default;

  // The statement in the system's own way of writing, or why it is not served.
  virtual Or<Ready> ready(Statement statement) const = 0;
  // What tells apart the pools of two names: where the tables of this one are.
  virtual std::string place(DatabaseName name) const = 0;
  // A new connection to that place. The system, the loop and the place outlive the wait.
  virtual Wait<Or<std::unique_ptr<Connection>>> connect(Loop& loop, const std::string& place,
                                                        Deadline deadline) const = 0;
  // Connects, as the operator said, and changes nothing there.
  virtual Wait<Or<void>> reach(Loop& loop, Deadline deadline) const = 0;
  // What its clients see of the server. Connections count what they ask; the pools tell whether
  // one can be made.
  virtual const std::shared_ptr<remote::Health>& health() const = 0;
};

}  // namespace weft::sql::pooled
