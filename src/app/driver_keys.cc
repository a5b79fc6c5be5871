#include "app/driver_keys.h"

#include <fmt/format.h>

#include <algorithm>
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

// What Capability::check says begins with the key that it is about.
std::string_view key_of(std::string_view message) {
  if (message.starts_with("the URL")) return "url";
  return message.substr(0, message.find_first_of(": "));
}

// Of one of several servers.
bool has_password(std::string_view urls) {
  while (!urls.empty()) {
    std::string_view url = urls.substr(0, urls.find(','));
    urls.remove_prefix(std::min(urls.size(), url.size() + 1));
    std::size_t begin = url.find("://");
    if (begin == url.npos) continue;
    std::string_view authority = url.substr(begin + 3);
    authority = authority.substr(0, authority.find('/'));
    std::size_t at = authority.rfind('@');
    if (at == authority.npos) continue;
    std::size_t colon = authority.find(':');
    if (colon < at && colon + 1 < at) return true;
  }
  return false;
}

}  // namespace

void check_driver(const Capability& capability, const TomlValue& table, const Placed& name,
                  const DriverChoice& choice, Problems& problems) {
  const Secret* url = choice.find("url");
  if (url != nullptr && choice.find("password") != nullptr && has_password(url->reveal())) {
    problems.error(
        table.find("password")->value.place,
        fmt::format("{}.password stands beside a url that has a password too", name.text),
        "leave one of them out");
    return;
  }
  auto checked = capability.check(choice);
  if (checked) return;
  std::string_view message = checked.error().message();
  std::string_view key = key_of(message);
  const TomlEntry* wrong = table.find(key);
  if (wrong == nullptr) {
    problems.error(name.place, fmt::format("{} cannot be used", name.text), std::string(message));
    return;
  }
  // The key is said once: "prefix: write ...", "ca-file /ca.pem: ...".
  if (message.starts_with(key)) {
    std::string_view rest = message.substr(key.size());
    if (rest.starts_with(": ")) message = rest.substr(2);
    if (rest.starts_with(" /")) message = rest.substr(1);
  }
  problems.error(wrong->value.place, fmt::format("{}.{} cannot be used", name.text, key),
                 std::string(message));
}

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
