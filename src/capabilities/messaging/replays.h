#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace weft::messaging {

// The dead letters of one broker that are being brought to their groups again in this process: none
// is twice at once. As many as there are dead letters at most. From any thread.
class Replays {
 public:
  // Whether it was not among them.
  bool begin(const std::string& group, std::uint64_t number) {
    std::lock_guard hold(mutex_);
    return under_way_.emplace(group, number).second;
  }
  void end(const std::string& group, std::uint64_t number) {
    std::lock_guard hold(mutex_);
    under_way_.erase({group, number});
  }

 private:
  std::mutex mutex_;
  std::set<std::pair<std::string, std::uint64_t>> under_way_;  // Guarded.
};

// What is said of a letter that cannot be brought, and of a group that cannot be forgotten, the
// same for every driver.
std::string no_letter(const std::string& group, std::uint64_t number);
std::string being_replayed(std::uint64_t number);
std::string no_trigger(const std::string& group);
std::string no_group(const std::string& group);
std::string group_runs(const std::string& group);

}  // namespace weft::messaging
