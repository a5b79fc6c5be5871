#include "app/interpolate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "app/table_reader.h"
#include "base/read_file.h"

namespace weft {
namespace {

void put(TomlValue& value, std::string text, std::string shown) {
  value.kind = TomlValue::Kind::kText;
  value.text = std::move(text);
  value.shown = std::move(shown);
  value.hidden = true;
  value.entries.clear();
}

// { key = "word" } with nothing beside it.
const TomlEntry* reference(const TomlValue& value) {
  bool one = value.kind == TomlValue::Kind::kTable && value.is_inline && value.entries.size() == 1;
  if (!one || value.entries[0].value.kind != TomlValue::Kind::kText) return nullptr;
  return value.entries.data();
}

}  // namespace

VariableLookup process_variables() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::optional<std::string> Interpolation::variable(std::string_view name, const Place& place) {
  // A name with a zero byte or an equals sign names nothing.
  bool sound = !name.empty() && name.find_first_of(std::string_view("=\0", 2)) == name.npos;
  if (sound) {
    if (in_secrets_) secret_variables_.emplace_back(name);
    if (auto value = variables_(name)) return value;
  }
  problems_.error(place, fmt::format("the environment variable {} is not set", name),
                  "set it where weft is started, or write the value here");
  return std::nullopt;
}

// Replaces each ${env:NAME} of a text.
void Interpolation::expand(TomlValue& value) {
  std::string out;
  std::string_view rest = value.text;
  bool replaced = false;
  for (;;) {
    std::size_t at = rest.find("${");
    if (at == std::string_view::npos) break;
    if (at > 0 && rest[at - 1] == '$') {
      out += rest.substr(0, at - 1);
      out += "${";
      rest.remove_prefix(at + 2);
      replaced = true;
      continue;
    }
    std::size_t end = rest.find('}', at);
    std::string_view inner = end == std::string_view::npos ? "" : rest.substr(at + 2, end - at - 2);
    if (!inner.starts_with("env:")) {
      problems_.error(value.place,
                      fmt::format("{} has a ${{ that is no ${{env:NAME}}", show(value)),
                      "write ${env:NAME}, or $${ for the two characters themselves");
      return;
    }
    out += rest.substr(0, at);
    if (auto text = variable(inner.substr(4), value.place)) out += *text;
    rest.remove_prefix(end + 1);
    replaced = true;
  }
  if (!replaced) return;
  out += rest;
  put(value, std::move(out), value.shown);
}

// Replaces { env = "NAME" } and { secret = "name" }. False when it is none of these.
bool Interpolation::refer(TomlValue& value) {
  const TomlEntry* found = reference(value);
  if (found == nullptr) return false;
  std::string name = found->value.text;
  if (found->key == "env") {
    std::string text = variable(name, found->value.place).value_or("");
    put(value, std::move(text), fmt::format("{{ env = {} }}", name));
    return true;
  }
  if (found->key != "secret") return false;
  auto secret = secrets_.find(name);
  if (secret != secrets_.end()) {
    put(value, std::string(secret->second.reveal()), fmt::format("{{ secret = {} }}", name));
    return true;
  }
  if (!named_.contains(name)) {
    std::vector<std::string_view> known;
    for (const auto& [each, read] : named_) known.push_back(each);
    problems_.error(found->value.place, fmt::format("there is no secret \"{}\" in [secrets]", name),
                    known.empty() ? fmt::format("write [secrets] and in it {} = ...", name)
                                  : suggest(name, known));
  }
  put(value, "", fmt::format("{{ secret = {} }}", name));
  return true;
}

void Interpolation::apply(TomlValue& value) {
  if (value.kind == TomlValue::Kind::kText) return expand(value);
  if (value.kind == TomlValue::Kind::kTable && refer(value)) return;
  for (TomlValue& each : value.list) apply(each);
  for (TomlEntry& each : value.entries) apply(each.value);
}

void Interpolation::read_file(TomlValue& value, const std::string& path) {
  std::filesystem::path file = path;
  if (file.is_relative()) {
    file = std::filesystem::path(value.place.file).parent_path() / file;
  }
  auto text = weft::read_file(file.string(), kSecretBytesMax);
  if (!text) {
    problems_.error(value.place,
                    fmt::format("the file {}: {}", file.string(), text.error().message()),
                    text.error().code() == Errc::kLimit
                        ? "that is too much for a secret"
                        : "name a file that is there and that this user may read");
    return;
  }
  // What editors put at the end of a file.
  if (text->ends_with('\n')) text->pop_back();
  put(value, *std::move(text), fmt::format("{{ file = {} }}", path));
}

void Interpolation::take_secrets(TomlValue& top) {
  auto at = std::ranges::find(top.entries, "secrets", &TomlEntry::key);
  if (at == top.entries.end()) return;
  if (at->value.kind != TomlValue::Kind::kTable) {
    problems_.error(at->place, fmt::format("secrets is {}", at->value.kind_name()),
                    "write a table: [secrets]");
  }
  in_secrets_ = true;
  for (TomlEntry& entry : at->value.entries) {
    TomlValue& value = entry.value;
    named_[entry.key] = true;
    const TomlEntry* named = reference(value);
    if (named != nullptr && named->key == "file") {
      read_file(value, named->value.text);
    } else if (named != nullptr && named->key == "env") {
      refer(value);
    } else if (value.kind == TomlValue::Kind::kText) {
      expand(value);
    } else {
      problems_.error(value.place, fmt::format("secrets.{} is {}", entry.key, value.kind_name()),
                      "write a string, { env = \"NAME\" } or { file = \"PATH\" }");
    }
    if (value.kind == TomlValue::Kind::kText) {
      secrets_.insert_or_assign(entry.key, Secret(std::move(value.text)));
    }
  }
  in_secrets_ = false;
  top.entries.erase(at);
}

}  // namespace weft
