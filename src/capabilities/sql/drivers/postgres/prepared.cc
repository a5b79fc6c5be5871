#include "capabilities/sql/drivers/postgres/prepared.h"

#include <algorithm>

namespace weft::sql::postgres {

Prepared::Entry* Prepared::find(const std::string& key) {
  if (key.size() > kRememberedBytesMax) return nullptr;
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    make_room();
    found = entries_.emplace(key, Entry()).first;
  } else {
    found->second.seen = true;
  }
  found->second.used = ++uses_;
  return &found->second;
}

void Prepared::forget(Entry& entry) {
  if (!entry.name.empty()) dropped_.push_back(std::exchange(entry.name, {}));
}

// The one that was used longest ago goes.
void Prepared::make_room() {
  if (entries_.size() < kRememberedMax) return;
  auto oldest =
      std::ranges::min_element(entries_, {}, [](const auto& each) { return each.second.used; });
  forget(oldest->second);
  entries_.erase(oldest);
}

}  // namespace weft::sql::postgres
