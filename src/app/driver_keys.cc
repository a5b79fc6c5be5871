#include "app/driver_keys.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>

namespace weft {
namespace {

std::optional<std::string> read_key(TableReader& reader, const DriverKey& key,
                                    const std::function<std::string(const std::string&)>& beside) {
  using Kind = DriverKey::Kind;
  switch (key.kind) {
    case Kind::kSize:
      if (auto size = reader.size(key.name, 1, std::uint64_t{1} << 50)) {
        return fmt::format("{}", *size);
      }
      return std::nullopt;
    case Kind::kDuration:
      if (auto time = reader.duration(key.name, DriverKey::kTimeMin, key.time_max)) {
        return fmt::format("{}ms", std::chrono::ceil<std::chrono::milliseconds>(*time).count());
      }
      return std::nullopt;
    case Kind::kCount:
      if (auto count = reader.whole(key.name, key.count_min, key.count_max)) {
        return fmt::format("{}", *count);
      }
      return std::nullopt;
    case Kind::kPath:
      if (auto path = reader.text(key.name)) {
        return std::filesystem::path(beside(path->text)).lexically_normal().string();
      }
      return std::nullopt;
    case Kind::kText: break;
  }
  if (auto placed = reader.text(key.name)) return std::move(placed->text);
  return std::nullopt;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> read_keys(
    TableReader& reader, std::span<const DriverKey> keys,
    const std::function<std::string(const std::string&)>& beside) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const DriverKey& key : keys) {
    if (auto text = read_key(reader, key, beside)) values.emplace_back(key.name, *std::move(text));
    if (!key.needed.empty() && reader.table().find(key.name) == nullptr) {
      reader.missing(key.name, fmt::format("{} = \"{}\"", key.name, key.needed));
    }
  }
  return values;
}

}  // namespace weft
