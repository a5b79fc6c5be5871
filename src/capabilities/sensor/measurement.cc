#include "capabilities/sensor/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace weft::sensor {
namespace {

bool is_plain(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f;
}

}  // namespace

Instant calendar() {
  return std::chrono::duration_cast<Instant>(std::chrono::system_clock::now().time_since_epoch());
}

Measurement failed(const SensorInfo& sensor, Instant time) {
  return {sensor.name, std::numeric_limits<double>::quiet_NaN(), sensor.unit, time, Quality::kBad};
}

Result<void> check_name(std::string_view name) {
  bool parts = !space_of(name).empty() && !within_space(name).empty();
  if (parts && name.size() <= kNameBytesMax && std::ranges::all_of(name, is_plain)) return {};
  return failure(Errc::kInvalid,
                 fmt::format("a sensor is named SPACE/NAME, in {} bytes at most, without spaces",
                             kNameBytesMax));
}

Result<void> check_pattern(std::string_view pattern) {
  TRY_VOID(check_name(pattern));
  if (space_of(pattern).contains('*')) {
    return failure(Errc::kInvalid, "a pattern has its * behind the space: \"boiler/*\"");
  }
  std::string_view rest = within_space(pattern);
  while (!rest.empty()) {
    std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part != "#" && part != "+") continue;
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" is no wildcard here: * stands for any run of characters: "
                               "\"{}/*\"",
                               part, space_of(pattern)));
  }
  return {};
}

bool matches(std::string_view pattern, std::string_view name) {
  // Where the last star was, and what it is taken to stand for.
  std::size_t star = pattern.npos;
  std::size_t after = 0;
  std::size_t p = 0;
  std::size_t n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++after;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view space_of(std::string_view name) {
  return name.substr(0, name.find('/'));
}

std::string_view within_space(std::string_view name) {
  std::size_t slash = name.find('/');
  return slash == name.npos ? std::string_view() : name.substr(slash + 1);
}

}  // namespace weft::sensor
