#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "app/table_reader.h"
#include "engine/runtime.h"

namespace weft {

// Of one instance: a page, and what 32 bits address.
inline constexpr std::uint64_t kMemoryLeast = 64 << 10;
inline constexpr std::uint64_t kMemoryMost = std::uint64_t{4} << 30;

// Limits of a component as somebody wrote them, in weft.toml or in the operator's file: those that
// are absent stay as they are.
struct LimitSettings {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::chrono::nanoseconds> cpu;
  std::optional<std::chrono::milliseconds> time;
  std::optional<std::chrono::milliseconds> stream_idle;
  std::optional<std::chrono::milliseconds> stream_total;
  std::optional<std::uint32_t> instances;
  std::optional<std::uint32_t> handles;

  static LimitSettings read(const TomlValue& table, std::string where, Problems& problems);

  // What `over` says wins.
  void merge(const LimitSettings& over);
  void apply(Limits& limits) const;
  // "memory 64MiB, cpu 200ms"; empty when nothing is set.
  std::string text() const;
};

}  // namespace weft
