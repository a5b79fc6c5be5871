#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "node/admission/seen_file.h"

namespace weft::node {

// Of a group's name: which group has how many places.
std::uint32_t tag_of(std::string_view group);

// The nonces that are remembered, in memory. Behind its owner's lock.
//
// A group has room while it has fewer places than are free: of n groups that take all they can,
// each has one part of n + 1, and one part is free.
class SeenTable {
 public:
  explicit SeenTable(std::size_t most);

  bool contains(const SeenId& id) const { return entries_.contains(id); }
  bool has_room(std::uint32_t tag) const;
  // False, and nothing happened, where it is there.
  bool add(const SeenId& id, UnixMs expires, std::uint32_t tag);
  // Drops what has expired by `now`, at most so many; returns how many it dropped.
  std::size_t drop(UnixMs now, std::size_t most);

  // The latest expiry of all that was dropped.
  UnixMs forgotten() const { return forgotten_; }
  void forget_until(UnixMs expiry) { forgotten_ = std::max(forgotten_, expiry); }
  std::size_t size() const { return entries_.size(); }

 private:
  // Who asks chooses nonces, and knows their hashes: those of this table are secret.
  struct KeyedHash {
    std::array<std::uint8_t, 16> key;
    std::size_t operator()(const SeenId& id) const;
  };
  struct Entry {
    UnixMs expires;
    std::uint32_t tag;
  };

  const std::size_t most_;
  boost::unordered_flat_map<SeenId, Entry, KeyedHash> entries_;
  // By the time of their expiry, in steps.
  std::map<std::uint64_t, std::vector<SeenId>> slots_;
  std::unordered_map<std::uint32_t, std::size_t> of_group_;
  UnixMs forgotten_ = 0;
};

}  // namespace weft::node
