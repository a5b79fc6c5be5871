#include "app/limit_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

namespace weft {
namespace {

constexpr std::uint64_t kHandlesMost = 1'000'000;

std::optional<std::chrono::milliseconds> whole_ms(std::optional<std::chrono::nanoseconds> time) {
  if (!time) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(*time);
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
  settings.instances = reader.whole("instances", 1, kInstancesMax);
  settings.handles = reader.whole("handles", 1, kHandlesMost);
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
  if (cpu) parts.push_back("cpu " + duration_text(*cpu));
  if (time) parts.push_back("time " + duration_text(*time));
  if (stream_idle) parts.push_back("stream-idle " + duration_text(*stream_idle));
  if (stream_total) parts.push_back("stream-total " + duration_text(*stream_total));
  if (instances) parts.push_back(fmt::format("instances {}", *instances));
  if (handles) parts.push_back(fmt::format("handles {}", *handles));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace weft
