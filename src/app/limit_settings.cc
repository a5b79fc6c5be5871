#include "app/limit_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

namespace weft {
namespace {

constexpr std::uint64_t kMemoryLeast = 64 << 10;  // One page.
constexpr std::uint64_t kMemoryMost = std::uint64_t{4} << 30;
constexpr std::uint64_t kCountMost = 1'000'000;

std::optional<std::chrono::milliseconds> whole_ms(std::optional<std::chrono::nanoseconds> time) {
  if (!time) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(*time);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes % (1 << 30) == 0) return fmt::format("{}GiB", bytes >> 30);
  if (bytes % (1 << 20) == 0) return fmt::format("{}MiB", bytes >> 20);
  if (bytes % (1 << 10) == 0) return fmt::format("{}KiB", bytes >> 10);
  return fmt::format("{}B", bytes);
}

std::string time_text(std::chrono::nanoseconds time) {
  std::int64_t ns = time.count();
  if (ns == 0) return "none";
  if (ns % 60'000'000'000 == 0) return fmt::format("{}min", ns / 60'000'000'000);
  if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
  if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
  return fmt::format("{}ns", ns);
}

template <class T>
void take(std::optional<T>& mine, const std::optional<T>& over) {
  if (over) mine = over;
}

}  // namespace

LimitSettings LimitSettings::read(const TomlValue& table, std::string where, Problems& problems) {
  TableReader reader(table, std::move(where), problems);
  LimitSettings settings;
  settings.memory_bytes = reader.size("memory", kMemoryLeast, kMemoryMost);
  settings.cpu = reader.duration("cpu");
  settings.time = whole_ms(reader.duration("time"));
  settings.stream_idle = whole_ms(reader.duration("stream-idle"));
  settings.stream_total = whole_ms(reader.duration("stream-total"));
  settings.instances = reader.whole("instances", 1, kCountMost);
  settings.handles = reader.whole("handles", 1, kCountMost);
  reader.finish();
  return settings;
}

void LimitSettings::merge(const LimitSettings& over) {
  take(memory_bytes, over.memory_bytes);
  take(cpu, over.cpu);
  take(time, over.time);
  take(stream_idle, over.stream_idle);
  take(stream_total, over.stream_total);
  take(instances, over.instances);
  take(handles, over.handles);
}

void LimitSettings::apply(Limits& limits) const {
  if (memory_bytes) limits.memory_bytes = *memory_bytes;
  if (cpu) limits.cpu = *cpu;
  if (time) limits.time = *time;
  if (instances) limits.instances_max = *instances;
  if (handles) limits.handles_max = *handles;
  if (stream_idle) limits.stream_idle = *stream_idle;
  if (stream_total) limits.stream_total = *stream_total;
}

std::string LimitSettings::text() const {
  std::vector<std::string> parts;
  if (memory_bytes) parts.push_back("memory " + size_text(*memory_bytes));
  if (cpu) parts.push_back("cpu " + time_text(*cpu));
  if (time) parts.push_back("time " + time_text(*time));
  if (stream_idle) parts.push_back("stream-idle " + time_text(*stream_idle));
  if (stream_total) parts.push_back("stream-total " + time_text(*stream_total));
  if (instances) parts.push_back(fmt::format("instances {}", *instances));
  if (handles) parts.push_back(fmt::format("handles {}", *handles));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace weft
