#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "node/object/hash.h"
#include "node/object/key.h"

namespace weft {
class Loop;
}

namespace weft::node::daemon {

class RunDesk;

// Runs that have ended and are remembered: the one that ended first goes first. Those under way are
// all there; each loop bounds how many that are. With many loops, what these keep together.
inline constexpr std::size_t kEndedPlacesMax = 8'192;

// On which loop each run is, and whose it is. One a node; from any thread.
class RunPlaces {
 public:
  struct Place {
    RunDesk* desk = nullptr;  // Of the loop: to be used there only.
    Loop* loop = nullptr;
    std::string group = {};
    PublicKey reply = {};
  };

  // How many that have ended are remembered. Before anybody uses it.
  void remember(std::size_t ended_max) { ended_max_ = ended_max; }

  void add(const Hash& run, Place place) {
    std::lock_guard hold(mutex_);
    places_.emplace(run, std::move(place));
  }
  // Once a run.
  void ended(const Hash& run) {
    std::lock_guard hold(mutex_);
    ended_.push_back(run);
    if (ended_.size() <= ended_max_) return;
    places_.erase(ended_.front());
    ended_.pop_front();
  }
  std::optional<Place> find(const Hash& run) const {
    std::lock_guard hold(mutex_);
    auto found = places_.find(run);
    if (found == places_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::size_t ended_max_ = kEndedPlacesMax;
  mutable std::mutex mutex_;
  std::unordered_map<Hash, Place, HashOfHash> places_;
  std::deque<Hash> ended_;
};

}  // namespace weft::node::daemon
