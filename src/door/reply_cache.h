#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/bytes.h"
#include "base/deadline.h"

namespace weft {

// What was asked: a function, by a number, and its arguments as they are encoded. Borrows them.
struct ReplyKey {
  ReplyKey(std::uint32_t asked, BytesView with);

  struct Hash {
    std::size_t operator()(const ReplyKey& key) const { return key.hash; }
  };
  friend bool operator==(const ReplyKey& a, const ReplyKey& b);

  std::uint32_t function;
  BytesView arguments;
  std::size_t hash;
};

// Replies by what was asked, so many and so many bytes at most; the one that was asked for longest
// ago makes room. No lock: whoever shares it has one.
class ReplyCache {
 public:
  using Time = Deadline::Clock::time_point;
  // Shared with those who copy it out after the lock.
  using Reply = std::shared_ptr<const Bytes>;

  struct Bounds {
    std::size_t entries = 1000;
    std::size_t bytes = std::size_t{16} << 20;  // Of arguments, replies and kEntryBytes each.
    // How long a reply holds; absent: as long as there is room.
    std::optional<std::chrono::nanoseconds> keep = {};
  };
  // What an entry counts beside its bytes.
  static constexpr std::size_t kEntryBytes = 256;

  explicit ReplyCache(Bounds bounds) : bounds_(bounds) {}
  ReplyCache(const ReplyCache&) = delete;

  // Null: it is not here, or is too old.
  Reply find(const ReplyKey& key, Time now);
  // Whether one of so many bytes may be kept.
  bool fits(std::size_t arguments, std::size_t reply) const {
    return arguments + reply + kEntryBytes <= bounds_.bytes;
  }
  // In the place of what is there. What does not fit is not kept.
  void keep(const ReplyKey& key, Reply reply, Time now);

  std::size_t entries() const { return by_key_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::uint32_t function;
    Bytes arguments;
    std::size_t hash;
    Reply reply;
    Time until;
  };
  using Place = std::list<Entry>::iterator;
  void drop(Place place);

  const Bounds bounds_;
  std::list<Entry> entries_;  // The one that was asked for last comes first.
  // A key borrows its arguments from its entry.
  std::unordered_map<ReplyKey, Place, ReplyKey::Hash> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace weft
