#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/table_reader.h"
#include "node/object/request.h"

namespace weft::node {

// What a group may ask for. Who may run or call may resume and cancel what it began.
enum class Right : std::uint8_t {
  kDescribe = 1 << 0,
  kFetch = 1 << 1,
  kRun = 1 << 2,
  kCall = 1 << 3,
  kStore = 1 << 4,
  kObserve = 1 << 5,  // Its runs may ask about the node.
};
inline constexpr std::array kRights{Right::kDescribe, Right::kFetch, Right::kRun,
                                    Right::kCall,     Right::kStore, Right::kObserve};
std::string_view to_string(Right right);

class Rights {
 public:
  bool has(Right right) const { return (bits_ & static_cast<std::uint8_t>(right)) != 0; }
  void add(Right right) { bits_ |= static_cast<std::uint8_t>(right); }
  // Whether this action may be asked for. kResume and kCancel: with kRun or kCall.
  bool allow(Action action) const;
  // "describe, run"; "nothing".
  std::string text() const;
  friend bool operator==(const Rights&, const Rights&) = default;

 private:
  std::uint8_t bits_ = 0;
};

// So long quotas of time and of the network are for, where nothing else is written.
inline constexpr std::chrono::hours kPeriodDefault{1};
inline constexpr std::chrono::seconds kPeriodLeast{1};
inline constexpr std::uint32_t kRateMost = 1'000'000;
inline constexpr std::uint32_t kCoresMost = 4'096;
inline constexpr std::uint32_t kRunsMost = 100'000;
inline constexpr std::uint64_t kQuotaBytesMost = std::uint64_t{1} << 50;

// Requests a second, and how many more may come at once after a time of silence.
struct RateQuota {
  std::uint32_t per_second = 0;  // 0: no bound.
  std::uint32_t burst = 0;       // At least 1 where there is a bound.
  friend bool operator==(const RateQuota&, const RateQuota&) = default;
};

// How much somebody may have, all keys of a group together, or all groups. Absent: no bound of its
// own.
struct Quota {
  std::chrono::milliseconds per = kPeriodDefault;
  // Spent, and there again when the next period begins.
  std::optional<std::uint64_t> cpu_ns = {};
  std::optional<std::uint64_t> compile_ns = {};
  std::optional<std::uint64_t> network_in_bytes = {};
  std::optional<std::uint64_t> network_out_bytes = {};
  // Held, and there again when they are let go.
  std::optional<std::uint64_t> memory_bytes = {};
  std::optional<std::uint64_t> storage_bytes = {};
  std::optional<std::uint32_t> runs = {};
  // Processors that may compute at the same time: as many loops of the node have its runs. In a
  // period no more than cores * per of processor time is spent, whatever `cpu_ns` says.
  std::optional<std::uint32_t> cores = {};
  RateQuota rate = {};

  // Absent keys keep what `defaults` has. The keys are asked for, the reader is not finished.
  static Quota read(TableReader& reader, const Quota& defaults);
  // The least of `cpu_ns` and what the cores give in a period.
  std::optional<std::uint64_t> cpu_ns_of_period() const;

  friend bool operator==(const Quota&, const Quota&) = default;
};

}  // namespace weft::node
