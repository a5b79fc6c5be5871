#include "node/daemon/tickets.h"

#include <sodium.h>

#include <algorithm>

namespace weft::node::daemon {

Result<Bytes> Tickets::issue(Hash module, std::string group, Way way, UnixMs now) {
  std::lock_guard hold(mutex_);
  if (tickets_.size() >= kTicketsMax || of_group_[group] >= kTicketsOfGroupMax) {
    std::erase_if(tickets_, [&](const auto& each) {
      if (each.second.until > now) return false;
      --of_group_[each.second.group];
      return true;
    });
  }
  if (tickets_.size() >= kTicketsMax || of_group_[group] >= kTicketsOfGroupMax) {
    return failure(Errc::kLimit, "too many modules are being moved: come again later");
  }
  Number number;
  randombytes_buf(number.data(), number.size());
  auto life = std::chrono::duration_cast<std::chrono::milliseconds>(kTicketLife).count();
  ++of_group_[group];
  tickets_[number] = {module, std::move(group), way, now + static_cast<UnixMs>(life)};
  return Bytes(number.begin(), number.end());
}

Result<Tickets::Ticket> Tickets::look(BytesView number, Way way, UnixMs now) const {
  Number key{};
  if (number.size() == key.size()) std::ranges::copy(number, key.begin());
  std::lock_guard hold(mutex_);
  auto found = tickets_.find(key);
  if (found == tickets_.end() || found->second.until <= now || found->second.way != way) {
    return failure(Errc::kNotFound, "no such ticket: ask for the module again");
  }
  return found->second;
}

}  // namespace weft::node::daemon
