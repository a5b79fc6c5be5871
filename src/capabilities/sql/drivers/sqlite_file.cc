#include "capabilities/sql/drivers/sqlite_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "capabilities/state_folder.h"

namespace weft::sql::sqlite {

Seat& Seat::operator=(Seat&& other) noexcept {
  if (this != &other) {
    give_back();
    file_ = std::move(other.file_);
    connection_ = std::move(other.connection_);
    role_ = other.role_;
  }
  return *this;
}

void Seat::give_back() {
  if (connection_ == nullptr) return;
  auto file = std::move(file_);
  file->give_back(std::move(connection_), role_);
}

Or<void> File::open() {
  std::lock_guard lock(opening_);
  if (opened_) return {};
  std::error_code ignored;
  bool there = std::filesystem::exists(path_, ignored);
  auto writer = Connection::open(path_, Role::kWriter, threads_.stopping);
  if (!writer) return failed(std::move(writer).error());
  if (there) {
    auto whole = (*writer)->inspect();
    if (!whole) return whole;
  } else if (auto synced = sync_folder(path_.parent_path()); !synced) {
    // SQLite flushes the file, and not the name that it just got.
    return failed(failure_of(synced.error()));
  }
  opened_ = true;
  std::lock_guard desks(mutex_);
  writer_.free.push_back(*std::move(writer));
  return {};
}

void File::stop() {
  std::deque<Waiter> waiting;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    for (Desk* at : {&writer_, &readers_}) {
      std::ranges::move(at->queue, std::back_inserter(waiting));
      at->queue.clear();
    }
  }
  for (Waiter& each : waiting) {
    each.taken(failed(Failure::unavailable("the host is stopping")));
  }
}

void File::set_options(const SqliteOptions& options) {
  std::lock_guard lock(mutex_);
  options_ = options;
}

SqliteOptions File::options() const {
  std::lock_guard lock(mutex_);
  return options_;
}

void File::take(Role role, Deadline deadline, Taken taken) {
  std::optional<Failure> refused;
  {
    std::lock_guard lock(mutex_);
    Desk& at = desk(role);
    if (stopped_) {
      refused = Failure::unavailable("the host is stopping");
    } else if (at.out == at.seats) {
      if (at.queue.size() < kWaitingMax) {
        at.queue.push_back({deadline, std::move(taken)});
        if (!std::exchange(watched_, true)) threads_.watch.add(shared_from_this());
        return;
      }
      refused = Failure::busy(
          fmt::format("{} statements wait for the database already", at.queue.size()));
    } else {
      ++at.out;
    }
  }
  if (refused) return taken(failed(*std::move(refused)));
  serve(role, std::move(taken));
}

// For a seat that is counted as out already.
void File::serve(Role role, Taken taken) {
  // Shared with the work, so that the pool's refusal, which drops the work, finds it still there.
  auto shared = std::make_shared<Taken>(std::move(taken));
  auto submitted = threads_.pool.submit(
      [self = shared_from_this(), role, shared] { (*shared)(self->seat(role)); });
  if (submitted) return;
  give_back(nullptr, role);
  (*shared)(failed(failure_of(submitted.error())));
}

Or<Seat> File::seat(Role role) {
  std::unique_ptr<Connection> connection;
  std::optional<std::uint64_t> size;
  {
    std::lock_guard lock(mutex_);
    Desk& at = desk(role);
    if (!at.free.empty()) {
      connection = std::move(at.free.back());
      at.free.pop_back();
    }
    if (role == Role::kWriter && (connection == nullptr || size_max_set_ != options_.size_max)) {
      size = size_max_set_ = options_.size_max;
    }
  }
  if (connection == nullptr) {
    auto opened = Connection::open(path_, role, threads_.stopping);
    if (!opened) {
      give_back(nullptr, role);
      return failed(std::move(opened).error());
    }
    connection = *std::move(opened);
  }
  if (size) connection->set_size_max(*size);
  return Seat(shared_from_this(), std::move(connection), role);
}

void File::give_back(std::unique_ptr<Connection> connection, Role role) {
  // One that is still in a transaction is of no use to the next.
  if (connection != nullptr && connection->in_transaction()) connection.reset();
  Taken next;
  {
    std::lock_guard lock(mutex_);
    Desk& at = desk(role);
    bool keep = at.free.size() < kReadersKept || !at.queue.empty();
    if (connection != nullptr && keep) at.free.push_back(std::move(connection));
    if (at.queue.empty()) {
      --at.out;
      return;
    }
    next = std::move(at.queue.front().taken);
    at.queue.pop_front();
  }
  serve(role, std::move(next));
}

bool File::look(Deadline::Clock::time_point now) {
  std::vector<Taken> late;
  bool more = false;
  {
    std::lock_guard lock(mutex_);
    for (Desk* at : {&writer_, &readers_}) {
      std::deque<Waiter> rest;
      for (Waiter& each : at->queue) {
        if (each.deadline.is_never() || each.deadline.when() > now) {
          rest.push_back(std::move(each));
        } else {
          late.push_back(std::move(each.taken));
        }
      }
      at->queue = std::move(rest);
    }
    watched_ = more = !writer_.queue.empty() || !readers_.queue.empty();
  }
  for (Taken& each : late) {
    each(failed(Failure::timeout("others used the database until the time was up")));
  }
  return more;
}

std::optional<bool> File::writes(const std::string& text) const {
  std::lock_guard lock(mutex_);
  auto found = known_.find(text);
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

void File::learn(const std::string& text, bool writes) {
  if (text.size() > kKeptTextBytesMax) return;
  std::lock_guard lock(mutex_);
  if (known_.size() == kKnownMax) known_.clear();
  known_.emplace(text, writes);
}

}  // namespace weft::sql::sqlite
