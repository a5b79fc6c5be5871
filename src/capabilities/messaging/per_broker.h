#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "capabilities/messaging/broker.h"

namespace weft::messaging {

// What a backend has of each broker for all loops, for the life of the process: there are as many
// as apps name. From any thread.
template <class T>
class PerBroker {
 public:
  // `make` gives a std::shared_ptr<T>, and asks nothing of this table.
  template <class Make>
  std::shared_ptr<T> get(const BrokerName& name, Make make) {
    std::lock_guard hold(mutex_);
    std::shared_ptr<T>& there = there_[{name.owner, name.name}];
    if (there == nullptr) there = make();
    return there;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<T>> there_;
};

}  // namespace weft::messaging
