#include "capabilities/lock/turns.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/loop.h"

namespace weft::lock {

// Under the lock: the loop is there as long as its waiter is among those who wait.
void Turns::wake(const Place& place) {
  place.loop->post([weak = place.waiter] {
    if (auto waiter = weak.lock()) waiter->woken();
  });
}

Result<bool> Turns::enter(const std::string& lock, Loop& loop,
                          const std::shared_ptr<Waiter>& waiter) {
  std::lock_guard guard(mutex_);
  if (count_ >= kWaitersOfAllMax) {
    return failure(Errc::kLimit, fmt::format("{} wait for locks already", kWaitersOfAllMax));
  }
  std::list<Place>& places = waiting_[lock];
  if (places.size() >= kWaitersMax) {
    return failure(Errc::kLimit, fmt::format("{} wait for this lock already", kWaitersMax));
  }
  places.push_back({&loop, waiter, waiter.get()});
  ++count_;
  return places.size() == 1;
}

void Turns::leave(const std::string& lock, const Waiter& waiter) {
  std::lock_guard guard(mutex_);
  auto places = waiting_.find(lock);
  if (places == waiting_.end()) return;
  auto place = std::ranges::find(places->second, &waiter, &Place::address);
  if (place == places->second.end()) return;
  bool first = place == places->second.begin();
  places->second.erase(place);
  --count_;
  if (places->second.empty()) {
    waiting_.erase(places);
  } else if (first) {
    wake(places->second.front());
  }
}

void Turns::freed(const std::string& lock) {
  std::lock_guard guard(mutex_);
  auto places = waiting_.find(lock);
  if (places != waiting_.end()) wake(places->second.front());
}

bool Turns::anyone(const std::string& lock) const {
  std::lock_guard guard(mutex_);
  return waiting_.contains(lock);
}

}  // namespace weft::lock
