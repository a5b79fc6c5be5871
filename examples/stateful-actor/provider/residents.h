#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace example {

// What is in memory, by its hash, in a budget of bytes.
//
// Who works with a T holds the pointer that `find` gave; without one it may have to make room for
// another, the longest unused first. On one thread; the pointers may be dropped on any.
template <class T>
class Residents {
 public:
  enum class Room : std::uint8_t {
    kMade,
    kTaken,     // by what is in use, or on its way: later it may go
    kTooLarge,  // for the whole budget
  };

  explicit Residents(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes room for `hash`, which is not here; `put` follows, or `remove`. Nothing has to go where
  // that would not be enough.
  Room reserve(std::string hash, std::uint64_t bytes) {
    if (bytes > bytes_max_) return Room::kTooLarge;
    std::uint64_t unused = 0;
    for (const Entry& each : entries_) unused += each.in_use() ? 0 : each.bytes;
    if (bytes_ - unused + bytes > bytes_max_) return Room::kTaken;
    for (auto each = entries_.end(); bytes_ + bytes > bytes_max_ && each != entries_.begin();) {
      if ((--each)->in_use()) continue;
      bytes_ -= each->bytes;
      each = entries_.erase(each);
      ++evictions_;
    }
    entries_.push_front({std::move(hash), bytes, nullptr});
    bytes_ += bytes;
    return Room::kMade;
  }
  void put(std::string_view hash, std::shared_ptr<const T> value) {
    place(hash)->value = std::move(value);
  }
  // Null: it is not here yet, or not at all.
  std::shared_ptr<const T> find(std::string_view hash) {
    auto found = place(hash);
    if (found == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found);
    return found->value;
  }
  // Gives the room back, and says how much that was: none where it is in use, or not here.
  std::uint64_t remove(std::string_view hash) {
    auto found = place(hash);
    if (found == entries_.end() || (found->value != nullptr && found->in_use())) return 0;
    std::uint64_t bytes = found->bytes;
    bytes_ -= bytes;
    entries_.erase(found);
    return bytes;
  }

  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t bytes_max() const { return bytes_max_; }
  std::uint64_t evictions() const { return evictions_; }
  // The one used last first.
  std::vector<std::string> hashes() const {
    std::vector<std::string> out;
    for (const Entry& each : entries_) out.push_back(each.hash);
    return out;
  }

 private:
  struct Entry {
    std::string hash;
    std::uint64_t bytes;
    std::shared_ptr<const T> value;  // Shared with those who work with it. Null: on its way.

    // The count only falls behind this thread's back: what is not in use stays so.
    bool in_use() const { return value == nullptr || value.use_count() > 1; }
  };
  auto place(std::string_view hash) { return std::ranges::find(entries_, hash, &Entry::hash); }

  const std::uint64_t bytes_max_;
  std::list<Entry> entries_;
  std::uint64_t bytes_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace example
