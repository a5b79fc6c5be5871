#include "base/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <span>
#include <utility>

namespace weft {
namespace {

using Unit = std::pair<std::string_view, std::uint64_t>;

Result<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                      std::string_view what, std::string_view example) {
  std::uint64_t number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(end - text.data());
  if (problem == std::errc::result_out_of_range) {
    return failure(Errc::kLimit, fmt::format("\"{}\" is too large for {}", text, what));
  }
  if (problem == std::errc()) {
    for (const auto& [name, factor] : units) {
      if (name != unit) continue;
      std::uint64_t value = 0;
      if (__builtin_mul_overflow(number, factor, &value)) {
        return failure(Errc::kLimit, fmt::format("\"{}\" is too large for {}", text, what));
      }
      return value;
    }
  }
  return failure(Errc::kInvalid,
                 fmt::format("\"{}\" is not {}: write it like {}", text, what, example));
}

}  // namespace

Result<std::uint64_t> raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_failure("read the file limit", errno);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return system_failure("raise the file limit", errno);
  return limit.rlim_cur;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1},
                                    {"B", 1},
                                    {"KB", 1'000},
                                    {"MB", 1'000'000},
                                    {"GB", 1'000'000'000},
                                    {"KiB", 1024},
                                    {"MiB", 1024 << 10},
                                    {"GiB", 1024 << 20}};
  return parse_with_unit(text, kUnits, "a size", "64MiB");
}

Result<std::uint64_t> parse_duration_ns(std::string_view text) {
  static constexpr Unit kUnits[] = {{"ns", 1},
                                    {"us", 1'000},
                                    {"ms", 1'000'000},
                                    {"s", 1'000'000'000},
                                    {"m", 60'000'000'000},
                                    {"min", 60'000'000'000},
                                    {"h", 3'600'000'000'000}};
  return parse_with_unit(text, kUnits, "a length of time", "200ms or 5s");
}

}  // namespace weft
