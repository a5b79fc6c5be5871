#include "capabilities/messaging/log.h"

namespace weft::messaging {

std::map<std::string, std::uint64_t> Log::backlogs() const {
  std::lock_guard hold(mutex_);
  std::map<std::string, std::uint64_t> all;
  for (const auto& [name, group] : groups_) {
    std::uint64_t ahead = 0;
    std::size_t looked = 0;
    auto each = kept_.lower_bound(group.standing.position);
    for (; each != kept_.end() && looked < kBacklogCounted; ++each, ++looked) {
      if ((each->second & group.mark) != 0) ++ahead;
    }
    all[name] = ahead + group.standing.open.size();
  }
  return all;
}

}  // namespace weft::messaging
