#include "node/daemon/own_facts.h"

#include "base/shown_text.h"
#include "node/daemon/quota_meter.h"

namespace weft::node::daemon {

runs::QuotaLeft OwnFacts::quota_left(std::string_view group) {
  Amounts left = ledger_.left(group, unix_now());
  return {.cpu_ns = left[QuotaKind::kCpu],
          .memory_bytes = left[QuotaKind::kMemory],
          .output_bytes = left[QuotaKind::kNetworkOut],
          .runs = static_cast<std::uint32_t>(
              std::min<std::uint64_t>(left[QuotaKind::kRuns], UINT32_MAX))};
}

runs::ToldNode OwnFacts::this_node() {
  return {.name = policy_.get()->settings.name, .key = self_.text()};
}

std::vector<runs::ToldNode> OwnFacts::heard() {
  std::vector<runs::ToldNode> all;
  std::lock_guard hold(mutex_);
  all.reserve(heard_.size());
  for (const auto& [key, node] : heard_) all.push_back(node);
  return all;
}

void OwnFacts::hears(discovery::NeighbourChange change, const discovery::Neighbour& whom) {
  runs::ToldNode told{.name = on_one_line(whom.beacon.name), .key = whom.key.text()};
  if (!whom.addresses.empty()) {
    discovery::UdpEndpoint tls = whom.addresses.front().udp;
    tls.port = whom.beacon.port;
    told.address = tls.text();
  }
  std::lock_guard hold(mutex_);
  if (change == discovery::NeighbourChange::kGone) {
    heard_.erase(told.key);
  } else {
    heard_[told.key] = std::move(told);
  }
}

}  // namespace weft::node::daemon
