#include "capabilities/sql/settings.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace weft::sql {
namespace {

Result<std::chrono::nanoseconds> time_of(const DriverChoice& choice, std::string_view key,
                                         std::chrono::nanoseconds otherwise) {
  const Secret* text = choice.find(key);
  if (text == nullptr) return otherwise;
  auto time = parse_duration_ns(text->reveal());
  constexpr std::uint64_t kLeast = 1'000'000;
  constexpr std::uint64_t kMost = 3'600'000'000'000;
  if (time && *time >= kLeast && *time <= kMost) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(*time));
  }
  return failure(Errc::kInvalid, fmt::format("{} is no time from 1ms to 1h: write \"30s\"", key));
}

}  // namespace

Result<Times> times_of(const DriverChoice& choice) {
  Times times;
  TRY(times.statement, time_of(choice, "statement-timeout", times.statement));
  TRY(times.idle, time_of(choice, "idle-timeout", times.idle));
  return times;
}

}  // namespace weft::sql
