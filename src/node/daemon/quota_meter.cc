#include "node/daemon/quota_meter.h"

#include <chrono>

namespace weft::node::daemon {
namespace {

Amounts storage(std::uint64_t bytes) {
  Amounts amounts;
  amounts[QuotaKind::kStorage] = bytes;
  return amounts;
}

}  // namespace

SteadyNs steady_now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

Result<void> QuotaMeter::take(std::string_view group, std::uint64_t bytes) {
  if (group.empty()) return {};
  Amounts amounts = storage(bytes);
  auto charge = ledger_.take(group, amounts, unix_now());
  if (!charge) return failure(Errc::kLimit, charge.error().message());
  charge->settle(amounts);
  return {};
}

void QuotaMeter::keep(std::string_view group, std::uint64_t bytes) {
  if (group.empty()) return;
  // More than was taken is counted: a quota that is smaller today does not unmake what is there.
  auto charge = ledger_.take(group, {}, unix_now());
  if (charge) charge->settle(storage(bytes));
}

void QuotaMeter::give_back(std::string_view group, std::uint64_t bytes) {
  if (!group.empty()) ledger_.free_storage(group, bytes);
}

}  // namespace weft::node::daemon
