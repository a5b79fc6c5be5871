#include "node/admission/seen_table.h"

#include <sodium.h>

#include "base/check.h"
#include "base/fnv.h"

namespace weft::node {
namespace {

// Expiries are told apart so finely, when it is about dropping them: 1.024 s.
constexpr int kSlotBits = 10;

std::array<std::uint8_t, 16> random_key() {
  CHECK(sodium_init() >= 0);
  static_assert(crypto_shorthash_KEYBYTES == 16);
  std::array<std::uint8_t, 16> key;
  randombytes_buf(key.data(), key.size());
  return key;
}

}  // namespace

std::uint32_t tag_of(std::string_view group) {
  return static_cast<std::uint32_t>(fnv1a(group));
}

std::size_t SeenTable::KeyedHash::operator()(const SeenId& id) const {
  std::uint64_t value = 0;
  static_assert(crypto_shorthash_BYTES == sizeof value);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&value), id.data(), id.size(), key.data());
  return value;
}

SeenTable::SeenTable(std::size_t most) : most_(most), entries_(0, KeyedHash{random_key()}) {}

bool SeenTable::has_room(std::uint32_t tag) const {
  if (entries_.size() >= most_) return false;
  auto mine = of_group_.find(tag);
  return mine == of_group_.end() || mine->second < most_ - entries_.size();
}

bool SeenTable::add(const SeenId& id, UnixMs expires, std::uint32_t tag) {
  if (!entries_.try_emplace(id, Entry{expires, tag}).second) return false;
  slots_[expires >> kSlotBits].push_back(id);
  ++of_group_[tag];
  return true;
}

std::size_t SeenTable::drop(UnixMs now, std::size_t most) {
  std::size_t dropped = 0;
  // A slot is dropped when all in it have expired.
  while (!slots_.empty() && slots_.begin()->first < now >> kSlotBits && dropped < most) {
    std::vector<SeenId>& slot = slots_.begin()->second;
    for (; !slot.empty() && dropped < most; slot.pop_back(), ++dropped) {
      auto found = entries_.find(slot.back());
      CHECK(found != entries_.end());
      forget_until(found->second.expires);
      auto mine = of_group_.find(found->second.tag);
      if (--mine->second == 0) of_group_.erase(mine);
      entries_.erase(found);
    }
    if (slot.empty()) slots_.erase(slots_.begin());
  }
  return dropped;
}

}  // namespace weft::node
