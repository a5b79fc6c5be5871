#include "node/daemon/tickets.h"

#include <sodium.h>

#include <algorithm>

namespace weft::node::daemon {

namespace {

UnixMs ms_of(std::chrono::milliseconds time) {
  return static_cast<UnixMs>(time.count());
}

}  // namespace

Tickets::Number Tickets::number_of(BytesView number) {
  Number key{};
  if (number.size() == key.size()) std::ranges::copy(number, key.begin());
  return key;
}

void Tickets::drop_old(UnixMs now) {
  std::erase_if(tickets_, [&](const auto& each) {
    const auto& [ticket, moved] = each.second;
    if (ticket.until + ms_of(kTicketCounted) > now || moved.bytes_in > 0 || moved.bytes_out > 0) {
      return false;
    }
    --of_group_[ticket.group];
    return true;
  });
}

Result<Bytes> Tickets::issue(Ticket ticket, UnixMs now) {
  std::lock_guard hold(mutex_);
  std::size_t& of_group = of_group_[ticket.group];
  if (tickets_.size() >= kTicketsMax || of_group >= kTicketsOfGroupMax) drop_old(now);
  if (tickets_.size() >= kTicketsMax || of_group >= kTicketsOfGroupMax) {
    return failure(Errc::kLimit, "too many modules are being moved: come again later");
  }
  Number number;
  randombytes_buf(number.data(), number.size());
  ++of_group;
  ticket.until = now + ms_of(kTicketLife);
  tickets_[number] = {std::move(ticket)};
  return Bytes(number.begin(), number.end());
}

void Tickets::take_back(BytesView number) {
  std::lock_guard hold(mutex_);
  auto found = tickets_.find(number_of(number));
  if (found == tickets_.end()) return;
  --of_group_[found->second.ticket.group];
  tickets_.erase(found);
}

Result<Tickets::Ticket> Tickets::look(BytesView number, Way way, UnixMs now) const {
  std::lock_guard hold(mutex_);
  auto found = tickets_.find(number_of(number));
  if (found == tickets_.end() || found->second.ticket.until <= now ||
      found->second.ticket.way != way) {
    return failure(Errc::kNotFound, "no such ticket: ask for the module again");
  }
  return found->second.ticket;
}

void Tickets::count(BytesView number, Moved moved) {
  std::lock_guard hold(mutex_);
  auto found = tickets_.find(number_of(number));
  if (found == tickets_.end()) return;
  found->second.moved.bytes_in += moved.bytes_in;
  found->second.moved.bytes_out += moved.bytes_out;
}

std::optional<std::pair<Tickets::Ticket, Tickets::Moved>> Tickets::take_moved(UnixMs now) {
  std::lock_guard hold(mutex_);
  for (auto next = tickets_.upper_bound(taken_); next != tickets_.end(); ++next) {
    Entry& entry = next->second;
    if (entry.moved.bytes_in == 0 && entry.moved.bytes_out == 0) continue;
    taken_ = next->first;
    return std::pair{entry.ticket, std::exchange(entry.moved, {})};
  }
  taken_ = {};
  drop_old(now);
  return std::nullopt;
}

}  // namespace weft::node::daemon
