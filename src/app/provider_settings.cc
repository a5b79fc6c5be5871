#include "app/provider_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json_text.h"

namespace weft {
namespace {

using Kind = TomlValue::Kind;

bool is_plain(const TomlValue& value) {
  return value.kind == Kind::kText || value.kind == Kind::kInteger || value.kind == Kind::kFlag ||
         (value.kind == Kind::kReal && std::isfinite(value.real));
}

std::string json_of(const TomlValue& value) {
  switch (value.kind) {
    case Kind::kInteger: return fmt::format("{}", value.integer);
    case Kind::kReal: return fmt::format("{}", value.real);
    case Kind::kFlag: return value.flag ? "true" : "false";
    default: break;
  }
  std::string out;
  append_json_string(out, value.text);
  return out;
}

// The operator's text in the place of a value; empty: it is none of that type.
std::string json_in_place_of(const TomlValue& value, std::string_view text) {
  if (value.kind == Kind::kFlag) return text == "true" || text == "false" ? std::string(text) : "";
  std::string out;
  if (value.kind == Kind::kText) {
    append_json_string(out, text);
    return out;
  }
  double number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool whole = end == text.data() + text.size() && problem == std::errc() && std::isfinite(number);
  return whole ? fmt::format("{}", number) : "";
}

}  // namespace

ProviderManifest ProviderManifest::read(const TomlEntry& entry, Problems& problems) {
  ProviderManifest provider{entry.key, entry.place};
  TableReader reader(entry.value, fmt::format("[provider.{}]", entry.key), problems);
  constexpr std::string_view kExample = R"(["build/NAME"])";
  if (auto command = reader.texts("command", kExample)) {
    provider.command = *std::move(command);
    bool empty = provider.command.empty() || provider.command.front().text.empty();
    if (empty || provider.command.size() > kWordsMax) {
      problems.error(entry.place, fmt::format("provider.{}.command names no program", entry.key),
                     fmt::format("write command = {}", kExample));
      provider.command.clear();
    }
  } else if (entry.value.find("command") == nullptr) {
    reader.missing("command", fmt::format("command = {}", kExample));
  }
  if (const TomlEntry* config = reader.take_table("config")) {
    for (const TomlEntry& each : config->value.entries) {
      if (is_plain(each.value)) {
        provider.config.push_back(each);
      } else {
        problems.error(
            each.value.place,
            fmt::format("provider.{}.config.{} is {}", entry.key, each.key, show(each.value)),
            "write a text, a number, true or false");
      }
    }
  }
  if (auto secrets = reader.texts("secrets", R"(["licence"])")) {
    provider.secrets = *std::move(secrets);
  }
  reader.finish();
  return provider;
}

std::string provider_configuration(const ProviderManifest& manifest,
                                   const std::vector<std::pair<Placed, Secret>>& over,
                                   Problems& problems) {
  std::string out = "{";
  for (const TomlEntry& each : manifest.config) {
    std::string value = json_of(each.value);
    for (const auto& [key, text] : over) {
      if (key.text != each.key) continue;
      std::string theirs = json_in_place_of(each.value, text.reveal());
      if (theirs.empty()) {
        problems.error(
            key.place,
            fmt::format("the value of {} for provider {} is no {}", key.text, manifest.name,
                        each.value.kind == Kind::kFlag ? "flag" : "number"),
            each.value.kind == Kind::kFlag ? "write \"true\" or \"false\""
                                           : "write a number in quotes");
      } else {
        value = std::move(theirs);
      }
    }
    if (out.size() > 1) out += ',';
    append_json_string(out, each.key);
    out += ':';
    out += value;
  }
  for (const auto& [key, text] : over) {
    bool known = std::ranges::any_of(manifest.config,
                                     [&](const TomlEntry& each) { return each.key == key.text; });
    if (known) continue;
    std::vector<std::string_view> names;
    for (const TomlEntry& each : manifest.config) names.push_back(each.key);
    problems.error(
        key.place,
        fmt::format("provider {} asks for no config value \"{}\"", manifest.name, key.text),
        suggest(key.text, names));
  }
  return out + "}";
}

}  // namespace weft
