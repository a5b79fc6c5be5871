#include "door/reply_cache.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

namespace weft {

ReplyKey::ReplyKey(std::uint32_t asked, BytesView with)
    : function(asked),
      arguments(with),
      hash(std::hash<std::string_view>()(as_text(with)) ^ (asked * 0x9e3779b97f4a7c15)) {}

bool operator==(const ReplyKey& a, const ReplyKey& b) {
  return a.hash == b.hash && a.function == b.function &&
         std::ranges::equal(a.arguments, b.arguments);
}

ReplyCache::Reply ReplyCache::find(const ReplyKey& key, Time now) {
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  Place place = found->second;
  if (now >= place->until) {
    drop(place);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, place);
  return place->reply;
}

void ReplyCache::keep(const ReplyKey& key, Reply reply, Time now) {
  if (auto there = by_key_.find(key); there != by_key_.end()) drop(there->second);
  if (!fits(key.arguments.size(), reply->size())) return;
  bytes_ += key.arguments.size() + reply->size() + kEntryBytes;
  entries_.push_front({.function = key.function,
                       .arguments = Bytes(key.arguments.begin(), key.arguments.end()),
                       .hash = key.hash,
                       .reply = std::move(reply),
                       .until = bounds_.keep ? now + *bounds_.keep : Time::max()});
  ReplyKey own = key;
  own.arguments = entries_.front().arguments;
  by_key_.emplace(own, entries_.begin());
  while (by_key_.size() > bounds_.entries || bytes_ > bounds_.bytes) {
    drop(std::prev(entries_.end()));
  }
}

void ReplyCache::drop(Place place) {
  bytes_ -= place->arguments.size() + place->reply->size() + kEntryBytes;
  ReplyKey key(place->function, {});
  key.arguments = place->arguments;
  key.hash = place->hash;
  by_key_.erase(key);
  entries_.erase(place);
}

}  // namespace weft
