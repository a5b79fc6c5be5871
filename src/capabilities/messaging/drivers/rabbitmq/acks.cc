#include "capabilities/messaging/drivers/rabbitmq/acks.h"

#include <algorithm>
#include <utility>

namespace weft::messaging::rabbitmq {

using remote::amqp::Multiple;

void Acks::done(std::uint64_t tag) {
  if (open_.erase(tag) > 0) due_.push_back(tag);
}

std::vector<Acks::Ack> Acks::take() {
  std::vector<std::uint64_t> due = std::exchange(due_, {});
  std::ranges::sort(due);
  auto behind = open_.empty() ? due.end() : std::ranges::lower_bound(due, *open_.begin());
  std::vector<Ack> acks;
  if (behind != due.begin()) {
    bool one = std::prev(behind) == due.begin();
    acks.push_back({*std::prev(behind), one ? Multiple::kNo : Multiple::kYes});
  }
  for (; behind != due.end(); ++behind) acks.push_back({*behind});
  return acks;
}

void Acks::clear() {
  open_.clear();
  due_.clear();
}

}  // namespace weft::messaging::rabbitmq
