#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace weft {

class Loop;

// What those who name the same thing have together: made when the first of them comes, gone with
// the last. What is gone is forgotten when the next is made, so there is never more than was used
// at once. From any thread.
template <class Key, class T>
class SharedBy {
 public:
  // `make` gives a std::shared_ptr<T>, and asks nothing of this table.
  template <class Make>
  std::shared_ptr<T> get(const Key& key, Make make) {
    std::lock_guard lock(mutex_);
    if (auto known = there_.find(key); known != there_.end()) {
      if (std::shared_ptr<T> found = known->second.lock()) return found;
    }
    std::erase_if(there_, [](const auto& each) { return each.second.expired(); });
    std::shared_ptr<T> made = make();
    there_[key] = made;
    return made;
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<T>> there_;
};

// What a backend has of each loop, for as long as a store of that loop has it.
template <class T>
using PerLoop = SharedBy<Loop*, T>;

}  // namespace weft
