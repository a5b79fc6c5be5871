#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capabilities/sql/drivers/pooled/connection.h"
#include "remote/breaker.h"

namespace weft::sql::pooled {

class Connections;

// A session out of a pool: back in it with the object, on its loop. Closed in its place is one that
// is not usable.
class Lease {
 public:
  Lease() = default;
  // Takes over a place in the pool that is counted already, and has no connection yet.
  explicit Lease(std::shared_ptr<Connections> pool) : pool_(std::move(pool)) {}
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { give_back(); }

  void put(std::unique_ptr<Connection> connection) { connection_ = std::move(connection); }

  explicit operator bool() const { return connection_ != nullptr; }
  Connection& operator*() const { return *connection_; }
  Connection* operator->() const { return connection_.get(); }

 private:
  void give_back();

  std::shared_ptr<Connections> pool_;  // Shared with the databases of its loop.
  std::unique_ptr<Connection> connection_;
};

// The sessions of one loop with one place: opened as they are needed, so many at most, and used
// again. Whoever finds none waits, in order, until its deadline.
class Connections : public std::enable_shared_from_this<Connections> {
 public:
  // `system` is shared with the other loops.
  Connections(Loop& loop, std::shared_ptr<const System> system, std::string place,
              std::size_t most);
  Connections(const Connections&) = delete;

  // The pool lives until the task is over: the caller holds it.
  Wait<Or<Lease>> take(Deadline deadline);

  Loop& loop() const { return loop_; }
  const System& system() const { return *system_; }

 private:
  friend class Lease;
  struct Waiter;

  void give_back(std::unique_ptr<Connection> connection);
  Wait<Or<void>> turn(Deadline deadline);
  void call_next();
  Wait<Or<std::unique_ptr<Connection>>> connect(Deadline deadline);
  Wait<bool> may_try(Deadline deadline);

  Loop& loop_;
  const std::shared_ptr<const System> system_;
  const std::string place_;
  const std::size_t most_;
  std::size_t out_ = 0;  // Lent, being opened, or promised to who was called.
  std::vector<std::unique_ptr<Connection>> free_;
  std::deque<Waiter*> waiting_;  // Each on the frame of its task.
  remote::Breaker breaker_;
  std::optional<Failure> problem_;  // Of the attempt that failed last.
};

}  // namespace weft::sql::pooled
