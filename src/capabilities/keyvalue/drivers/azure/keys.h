#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/azure/turns.h"
#include "capabilities/keyvalue/drivers/cas_counters.h"
#include "remote/azure/blobs.h"

namespace weft::keyvalue::azure {

// Requests of one batch that are under way at once.
inline constexpr std::size_t kBatchAtOnce = 32;

// One bucket as a loop reaches it: blobs below a prefix. Shared by the loop's buckets of that name
// and by what they have under way; on its loop's thread.
class Keys final : public CasCounters {
 public:
  // `prefix` is before each key, and nobody else's keys begin with it.
  Keys(std::shared_ptr<remote::azure::Blobs> blobs, std::string prefix, std::size_t page_keys);

  Loop& loop() { return blobs_->loop(); }

  // Bytes that reads may hold together.
  struct Budget {
    std::size_t left = kBatchBytesMax;
  };
  struct Change {
    std::string key;
    std::optional<Bytes> value;  // Absent: the key is deleted.
  };

  // `budget`: null where it is for this value alone.
  Task<Snapshot> read(std::string key, std::shared_ptr<Budget> budget, Deadline deadline);
  Task<bool> exists(std::string key, Deadline deadline);
  Task<Page> list(std::optional<std::string> cursor, Deadline deadline);

  // A place among the writes of the loop, for a change that is made later.
  Result<Turns::Turn> turn(std::string_view key, std::size_t bytes) {
    return turns_->take(std::string(key), bytes);
  }
  Task<void> write(Turns::Turn turn, Change change, Deadline deadline);
  // Each of another key, in this order, some at once. After a failure the rest is made all the
  // same; the answer is the first one.
  struct Write {
    Turns::Turn turn;
    Change change;
  };
  Task<void> write_many(std::vector<Write> writes, Deadline deadline);
  // The new version, or 0 where another is there than `basis` says.
  Task<std::uint64_t> swap(Turns::Turn turn, std::string key, std::uint64_t basis, Bytes value,
                           Deadline deadline);

 private:
  struct Batch;

  std::string name_of(std::string_view key) const;
  // What is kept beside a blob: the key, where the name does not spell it.
  static std::string noted_of(std::string_view key);
  std::shared_ptr<Keys> self() { return std::static_pointer_cast<Keys>(shared_from_this()); }
  static Task<void> write_some(std::shared_ptr<Keys> keys, std::shared_ptr<Batch> batch);

  void read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) override;
  void swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                  Done<std::uint64_t> done) override;

  const std::shared_ptr<remote::azure::Blobs> blobs_;  // Shared by all of the loop.
  const std::string prefix_;
  const std::size_t page_keys_;
  const std::shared_ptr<Turns> turns_;  // Shared with the turns.
};

}  // namespace weft::keyvalue::azure
