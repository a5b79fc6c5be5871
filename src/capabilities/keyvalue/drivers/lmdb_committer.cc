#include "capabilities/keyvalue/drivers/lmdb_committer.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/thread_name.h"
#include "io/loop.h"

namespace weft::keyvalue::lmdb {
namespace {

// Whether the file cannot grow by so many bytes: the disk has no more, or the process may not.
bool has_no_room(MDB_env* environment, std::size_t bytes) {
  constexpr std::size_t kSlackBytes = 1 << 20;
  mdb_filehandle_t fd = -1;
  struct statvfs disk{};
  struct stat file{};
  rlimit limit{};
  if (mdb_env_get_fd(environment, &fd) != 0 || fstatvfs(fd, &disk) != 0 || fstat(fd, &file) != 0 ||
      getrlimit(RLIMIT_FSIZE, &limit) != 0) {
    return false;
  }
  return disk.f_bavail * disk.f_frsize < bytes + kSlackBytes ||
         static_cast<std::size_t>(file.st_size) + bytes + kSlackBytes > limit.rlim_cur;
}

}  // namespace

Committer::Committer(Environment& environment)
    : environment_(environment), thread_([this] { run(); }) {}

Committer::~Committer() {
  {
    std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

Result<void> Committer::submit(std::unique_ptr<Write>& write) {
  {
    std::lock_guard hold(mutex_);
    if (queue_.size() >= kQueueWritesMax || queue_bytes_ + write->size().bytes > kQueueBytesMax) {
      return failure(Errc::kLimit,
                     fmt::format("{} writes ({} bytes) wait for the disk already: try again later",
                                 queue_.size(), queue_bytes_));
    }
    queue_bytes_ += write->size().bytes;
    queue_.push_back(std::move(write));
    if (queue_.size() < wanted_) return {};
  }
  work_.notify_one();
  return {};
}

CommitterStats Committer::stats() const {
  std::lock_guard hold(mutex_);
  return stats_;
}

void Committer::run() {
  name_thread("weft-commit");
  for (;;) {
    Group group = take_group();
    if (group.empty()) return;
    Group due;
    Group late;
    for (auto& write : group) {
      (write->request().deadline.passed() ? late : due).push_back(std::move(write));
    }
    // What nobody waits for any more is not begun.
    for (auto& write : late) {
      write->failed_ = std::make_unique<Error>(
          Errc::kTimeout, "the write waited for the disk until its deadline: nothing was written");
    }
    if (!due.empty()) {
      auto began = std::chrono::steady_clock::now();
      commit(due);
      last_took_ = std::chrono::steady_clock::now() - began;
      last_writes_ = due.size();
    }
    hand_back(std::move(due));
    hand_back(std::move(late));
  }
}

// Writers whose last write has just become durable are about to write again: what waits for them a
// little has all of them in one flush, instead of the quickest in one and the others in the next.
void Committer::gather(std::unique_lock<std::mutex>& hold) {
  if (queue_.size() >= last_writes_) return;
  wanted_ = last_writes_;
  std::chrono::nanoseconds most =
      std::min<std::chrono::nanoseconds>(kGatherMax, last_took_ / kGatherShare);
  work_.wait_for(hold, most, [this] { return stopping_ || queue_.size() >= wanted_; });
  wanted_ = 1;
}

// Waits for writes and takes as many as one transaction may have: at least one, or none when the
// committer stops and nothing is left.
Committer::Group Committer::take_group() {
  Group group;
  WriteSize sum;
  std::unique_lock hold(mutex_);
  work_.wait(hold, [this] { return stopping_ || !queue_.empty(); });
  gather(hold);
  while (!queue_.empty() && group.size() < kGroupWritesMax) {
    WriteSize size = queue_.front()->size();
    bool fits = sum.keys + size.keys <= kGroupKeysMax && sum.bytes + size.bytes <= kGroupBytesMax;
    if (!group.empty() && !fits) break;
    sum.keys += size.keys;
    sum.bytes += size.bytes;
    queue_bytes_ -= size.bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

// Commits the writes in as few transactions as will do. A write that finds no room fails alone: the
// group is halved until it stands by itself.
void Committer::commit(std::span<std::unique_ptr<Write>> writes) {
  int code = attempt(writes);
  while (code == MDB_MAP_FULL) {
    if (auto grown = environment_.grow(); !grown) {
      if (grown.error().code() != Errc::kFull || writes.size() == 1) {
        for (auto& write : writes) write->failed_ = std::make_unique<Error>(grown.error());
        return;
      }
      break;
    }
    code = attempt(writes);
  }
  if (code == 0) return;
  Error error = explain(code, writes);
  bool may_fit = error.code() == Errc::kFull || code == MDB_TXN_FULL;
  if (may_fit && writes.size() > 1) {
    commit(writes.first(writes.size() / 2));
    commit(writes.subspan(writes.size() / 2));
    return;
  }
  for (auto& write : writes) write->failed_ = std::make_unique<Error>(error);
}

// One transaction with all of the writes, or with none and the reason as a code.
int Committer::attempt(std::span<std::unique_ptr<Write>> writes) {
  MappedRead in_use(environment_.path());
  MDB_txn* opened = nullptr;
  if (int code = mdb_txn_begin(environment_.get(), nullptr, 0, &opened); code != 0) return code;
  Transaction transaction(environment_, opened);
  for (auto& write : writes) {
    write->apply(transaction);
    if (transaction.code() != 0) {
      mdb_txn_abort(opened);
      return transaction.code();
    }
  }
  int code = mdb_txn_commit(opened);
  if (code != 0) return code;
  std::lock_guard hold(mutex_);
  stats_.writes += writes.size();
  stats_.commits += 1;
  return 0;
}

Error Committer::explain(int code, std::span<std::unique_ptr<Write>> writes) const {
  std::size_t bytes = 0;
  for (auto& write : writes) bytes += write->size().bytes;
  // LMDB answers EIO for a write that the disk took only a part of.
  if (code == EIO && has_no_room(environment_.get(), bytes)) code = ENOSPC;
  Error error = lmdb_error("writing", code);
  environment_.note(error);
  return error;
}

// Posts the finished writes to their loops, one post for each loop.
void Committer::hand_back(Group group) {
  std::vector<std::pair<Loop*, Group>> shares;
  for (auto& write : group) {
    Loop* loop = &write->request().loop;
    auto share = std::ranges::find(shares, loop, &std::pair<Loop*, Group>::first);
    if (share == shares.end()) share = shares.insert(shares.end(), {loop, Group()});
    share->second.push_back(std::move(write));
  }
  for (auto& [loop, mine] : shares) {
    loop->post([mine = std::move(mine)] {
      for (auto& write : mine) write->finish(write->failed_.get());
    });
  }
}

}  // namespace weft::keyvalue::lmdb
