#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/keyvalue/drivers/cas_counters.h"
#include "capabilities/keyvalue/drivers/dynamodb/items.h"
#include "capabilities/keyvalue/drivers/dynamodb/turns.h"

namespace weft::keyvalue::dynamodb {

// Writes of one loop to one bucket that are not over, and their bytes.
inline constexpr std::size_t kWritesMax = 65'536;
inline constexpr std::size_t kWritesBytesMax = 256UL << 20;

// One bucket as a loop reaches it: its items, the order of its writes, and its counters. Shared by
// the loop's buckets of that name and by the writes that are under way; on its loop's thread.
class Keys final : public CasCounters {
 public:
  explicit Keys(Items items) : items_(std::move(items)) {}

  const Items& items() const { return items_; }
  Loop& loop() const { return items_.client->loop(); }

  // As write_items and swap_item, once all earlier writes of the same keys are over. What waits
  // beyond its deadline is not begun.
  Answer<void> write(std::vector<Change> changes, Deadline deadline);
  Answer<Written> swap(std::string key, Bytes value, Basis basis, Deadline deadline);

 private:
  void read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) override;
  void swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                  Done<std::uint64_t> done) override;

  template <class T>
  Answer<T> in_turn(std::vector<std::string> keys, std::size_t bytes, Deadline deadline,
                    Task<T> work);
  template <class T>
  static Task<void> run(std::shared_ptr<Keys> self, Turns::Number number, std::size_t bytes,
                        Deadline deadline, Task<T> work, Promise<T> promise);

  const Items items_;
  Turns turns_;
  std::size_t bytes_ = 0;  // Of the writes that have not left.
};

}  // namespace weft::keyvalue::dynamodb
