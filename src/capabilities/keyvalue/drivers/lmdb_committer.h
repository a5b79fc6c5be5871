#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/error.h"
#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/lmdb_environment.h"
#include "capabilities/keyvalue/drivers/lmdb_transaction.h"

namespace weft::keyvalue::lmdb {

// Bounds of what waits for the commit thread, and of what goes into one transaction.
inline constexpr std::size_t kQueueWritesMax = 65'536;
inline constexpr std::size_t kQueueBytesMax = 256 << 20;
inline constexpr std::size_t kGroupWritesMax = 4096;
inline constexpr std::size_t kGroupKeysMax = 65'536;
inline constexpr std::size_t kGroupBytesMax = 64 << 20;

// How long a group waits for as many writes as the last one had, whose writers may come again: a
// share of the time that the last commit took, and this at most.
inline constexpr std::chrono::microseconds kGatherMax{500};
inline constexpr int kGatherShare = 8;

// What a write weighs against those bounds.
struct WriteSize {
  std::size_t keys = 0;
  std::size_t bytes = 0;
};

// One write on its way: made on a loop, applied on the commit thread, finished on its loop again.
class Write {
 public:
  Write(Request request, WriteSize size) : request_(request), size_(size) {}
  virtual ~Write() = default;

  Request request() const { return request_; }
  WriteSize size() const { return size_; }

  // Makes the change, or leaves everything as it is when its own conditions do not hold. Runs again
  // when the transaction has to be done over.
  virtual void apply(Transaction& transaction) = 0;
  // On the loop: `failed` when nothing was written, and null when what `apply` did is durable.
  virtual void finish(const Error* failed) = 0;

 private:
  friend class Committer;
  Request request_;
  WriteSize size_;
  std::unique_ptr<Error> failed_;
};

struct CommitterStats {
  std::uint64_t writes = 0;
  std::uint64_t commits = 0;
};

// The one thread that writes to an environment.
//
// It takes everything that waits, up to a group's bounds, commits it as one transaction with one
// flush, and posts each write back to its loop. `submit` is for any thread. The loops of all writes
// must outlive the committer, which finishes what waits before its destructor returns.
class Committer {
 public:
  explicit Committer(Environment& environment);
  Committer(const Committer&) = delete;
  ~Committer();

  // Fails with kLimit when the queue is full, and leaves the write with the caller then.
  Result<void> submit(std::unique_ptr<Write>& write);

  CommitterStats stats() const;

 private:
  using Group = std::vector<std::unique_ptr<Write>>;

  void run();
  void gather(std::unique_lock<std::mutex>& hold);
  Group take_group();
  void commit(std::span<std::unique_ptr<Write>> writes);
  int attempt(std::span<std::unique_ptr<Write>> writes);
  Error explain(int code, std::span<std::unique_ptr<Write>> writes) const;
  static void hand_back(Group group);

  Environment& environment_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::unique_ptr<Write>> queue_;
  std::size_t queue_bytes_ = 0;
  CommitterStats stats_;
  std::size_t wanted_ = 1;  // Writes that the thread waits for.
  bool stopping_ = false;
  // Of the last group; the thread's own.
  std::size_t last_writes_ = 1;
  std::chrono::nanoseconds last_took_{};
  std::thread thread_;
};

}  // namespace weft::keyvalue::lmdb
