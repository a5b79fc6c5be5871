#include "node/policy/quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace weft::node {
namespace {

std::optional<std::uint64_t> ns_of(std::optional<std::chrono::nanoseconds> time) {
  if (!time) return std::nullopt;
  return static_cast<std::uint64_t>(time->count());
}

// What is written wins.
template <class T, class From>
void take(std::optional<T>& into, const std::optional<From>& written) {
  if (written) into = static_cast<T>(*written);
}

}  // namespace

std::string_view to_string(Right right) {
  switch (right) {
    case Right::kDescribe: return "describe";
    case Right::kFetch: return "fetch";
    case Right::kRun: return "run";
    case Right::kCall: return "call";
    case Right::kStore: return "store";
    case Right::kObserve: return "observe";
  }
  return "?";
}

bool Rights::allow(Action action) const {
  switch (action) {
    case Action::kDescribe: return has(Right::kDescribe);
    case Action::kFetch: return has(Right::kFetch);
    case Action::kRun: return has(Right::kRun);
    case Action::kCall: return has(Right::kCall);
    case Action::kStore: return has(Right::kStore);
    case Action::kResume:
    case Action::kCancel: return has(Right::kRun) || has(Right::kCall);
  }
  return false;
}

std::string Rights::text() const {
  std::string text;
  for (Right right : kRights) {
    if (!has(right)) continue;
    if (!text.empty()) text += ", ";
    text += to_string(right);
  }
  return text.empty() ? "nothing" : text;
}

Quota Quota::read(TableReader& reader, const Quota& defaults) {
  Quota quota = defaults;
  if (auto per = reader.duration("per", kPeriodLeast)) {
    quota.per = std::chrono::ceil<std::chrono::milliseconds>(*per);
  }
  take(quota.cpu_ns, ns_of(reader.duration("cpu")));
  take(quota.compile_ns, ns_of(reader.duration("compile")));
  take(quota.network_in_bytes, reader.size("network-in", 0, kQuotaBytesMost));
  take(quota.network_out_bytes, reader.size("network-out", 0, kQuotaBytesMost));
  take(quota.memory_bytes, reader.size("memory", 0, kQuotaBytesMost));
  take(quota.storage_bytes, reader.size("storage", 0, kQuotaBytesMost));
  take(quota.runs, reader.whole("runs", 0, kRunsMost));
  take(quota.cores, reader.whole("cores", 1, kCoresMost));
  auto rate = reader.whole("rate", 1, kRateMost);
  auto burst = reader.whole("burst", 1, kRateMost);
  if (rate) {
    quota.rate.per_second = static_cast<std::uint32_t>(*rate);
    // What a second has, where nothing else is written.
    quota.rate.burst = quota.rate.per_second;
  }
  if (burst) quota.rate.burst = static_cast<std::uint32_t>(*burst);
  return quota;
}

std::optional<std::uint64_t> Quota::cpu_ns_of_period() const {
  if (!cores) return cpu_ns;
  constexpr std::uint64_t kNsOfMs = 1'000'000;
  // A year on all the cores that may be written is below 2^64 ns only for some of them.
  std::uint64_t period_ns = static_cast<std::uint64_t>(per.count()) * kNsOfMs;
  std::uint64_t of_cores = *cores > UINT64_MAX / period_ns ? UINT64_MAX : *cores * period_ns;
  return std::min(cpu_ns.value_or(UINT64_MAX), of_cores);
}

}  // namespace weft::node
