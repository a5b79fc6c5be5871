#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace weft {
class Loop;
}

namespace weft::node::daemon {

class RunDesk;

// The loops of a node, and on which of them a group's runs are begun: on as many as its quota of
// `cores` says, always the same ones, so that it computes on no more at any time. Filled before
// anybody asks; from any thread then.
class RunSeats {
 public:
  struct Seat {
    RunDesk* desk = nullptr;  // To be used on its loop only.
    Loop* loop = nullptr;
  };

  void add(RunDesk& desk, Loop& loop) { seats_.push_back({&desk, &loop}); }

  // `here`, where the group may have it.
  const Seat& of(std::string_view group, std::optional<std::uint32_t> cores,
                 const Loop& here) const {
    auto mine = std::ranges::find(seats_, &here, &Seat::loop);
    CHECK(mine != seats_.end());
    if (!cores || *cores >= seats_.size()) return *mine;
    std::size_t first = std::hash<std::string_view>()(group) % seats_.size();
    std::size_t at = static_cast<std::size_t>(mine - seats_.begin());
    std::size_t behind = (at + seats_.size() - first) % seats_.size();
    return seats_[(first + behind % *cores) % seats_.size()];
  }

 private:
  std::vector<Seat> seats_;
};

}  // namespace weft::node::daemon
