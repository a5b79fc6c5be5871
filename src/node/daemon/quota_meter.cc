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

UnixMs unix_now() {
  using namespace std::chrono;
  return static_cast<UnixMs>(
      duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

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

runs::QuotaLeft QuotaFacts::quota_left(std::string_view group) {
  Amounts left = ledger_.left(group, unix_now());
  return {.cpu_ns = left[QuotaKind::kCpu],
          .memory_bytes = left[QuotaKind::kMemory],
          .output_bytes = left[QuotaKind::kNetworkOut],
          .runs = static_cast<std::uint32_t>(
              std::min<std::uint64_t>(left[QuotaKind::kRuns], UINT32_MAX))};
}

}  // namespace weft::node::daemon
