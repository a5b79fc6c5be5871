#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "capabilities/sql/backend.h"
#include "capabilities/sql/drivers/sqlite_connection.h"
#include "capabilities/sql/drivers/sqlite_threads.h"

namespace weft::sql::sqlite {

// Connections that read a database at once, cursors and reading transactions among them, and those
// that stay open while nobody uses them.
inline constexpr std::size_t kReadersMax = 16;
inline constexpr std::size_t kReadersKept = 4;
// Statements of which a file remembers whether they write.
inline constexpr std::size_t kKnownMax = 256;

class File;

// The right to use one of a file's connections: given back with the object, on any thread.
class Seat {
 public:
  Seat() = default;
  Seat(std::shared_ptr<File> file, std::unique_ptr<Connection> connection, Connection::Role role)
      : file_(std::move(file)), connection_(std::move(connection)), role_(role) {}
  Seat(Seat&& other) noexcept = default;
  Seat& operator=(Seat&& other) noexcept;
  ~Seat() { give_back(); }

  explicit operator bool() const { return connection_ != nullptr; }
  Connection& connection() const { return *connection_; }
  Connection::Role role() const { return role_; }

 private:
  void give_back();

  std::shared_ptr<File> file_;  // Shared with whoever else uses the file: the last one closes it.
  std::unique_ptr<Connection> connection_;
  Connection::Role role_ = Connection::Role::kReader;
};

// A database's file: one connection that writes, some that read, and a queue before each.
//
// Shared by everybody who has the database open, on any thread. What it gives seats to runs on the
// pool's threads. `threads` is used until `stop`, and not after it.
class File final : public Watched, public std::enable_shared_from_this<File> {
 public:
  using Role = Connection::Role;
  // Called once: on a thread of the pool with a seat, or with the reason why there is none, which
  // may be at once.
  using Taken = std::move_only_function<void(Or<Seat>)>;

  File(std::filesystem::path path, Threads& threads) : path_(std::move(path)), threads_(threads) {}

  // Opens the file, or makes it: before anything else, once or often. Blocks.
  Or<void> open();

  // Before the threads go: who waits is told that the host stops, and nobody gets a seat any more.
  void stop();

  void set_options(const SqliteOptions& options);
  SqliteOptions options() const;

  // A seat, as soon as there is one: in the order in which they were asked for.
  void take(Role role, Deadline deadline, Taken taken);
  // Tells those whose deadline has come; the others wait on.
  bool look(Deadline::Clock::time_point now) override;

  // Whether a statement writes, where that is known.
  std::optional<bool> writes(const std::string& text) const;
  void learn(const std::string& text, bool writes);

 private:
  friend class Seat;
  struct Waiter {
    Deadline deadline;
    Taken taken;
  };
  // The writer's, or the readers'.
  struct Desk {
    std::size_t seats;
    std::size_t out = 0;
    std::vector<std::unique_ptr<Connection>> free = {};
    std::deque<Waiter> queue = {};
  };

  Desk& desk(Role role) { return role == Role::kWriter ? writer_ : readers_; }
  void give_back(std::unique_ptr<Connection> connection, Role role);
  void serve(Role role, Taken taken);
  // On a thread of the pool.
  Or<Seat> seat(Role role);

  const std::filesystem::path path_;
  Threads& threads_;
  std::mutex opening_;
  bool opened_ = false;  // Guarded by `opening_`.

  mutable std::mutex mutex_;  // Guards what follows.
  SqliteOptions options_;
  std::uint64_t size_max_set_ = 0;  // What the writer was told last.
  Desk writer_{.seats = 1};
  Desk readers_{.seats = kReadersMax};
  bool watched_ = false;
  bool stopped_ = false;
  std::unordered_map<std::string, bool> known_;
};

}  // namespace weft::sql::sqlite
