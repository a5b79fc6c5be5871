#include "app/interpolate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "app/table_reader.h"
#include "base/nearest.h"

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

// { driver = "DRIVER", KEY = the text of `named` }, where `at` stands.
TomlValue driver_table(const TomlValue& at, std::string driver, std::string key,
                       const TomlEntry& named) {
  TomlEntry of_driver{"driver", at.place, {}};
  of_driver.value.kind = TomlValue::Kind::kText;
  of_driver.value.place = at.place;
  of_driver.value.text = driver;
  of_driver.value.shown = std::move(driver);
  TomlEntry setting = named;
  setting.key = std::move(key);
  TomlValue table;
  table.place = at.place;
  table.entries = {std::move(of_driver), std::move(setting)};
  return table;
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
  if (found->key == "env") {
    std::string name = found->value.text;
    std::string text = variable(name, found->value.place).value_or("");
    put(value, std::move(text), fmt::format("{{ env = {} }}", name));
    return true;
  }
  if (found->key != "secret" || secrets_ == nullptr) return false;
  refer_secret(value, *found);
  return true;
}

void Interpolation::refer_secret(TomlValue& value, const TomlEntry& named) {
  std::string name = named.value.text;
  Place place = named.value.place;
  std::string shown = fmt::format("{{ secret = {} }}", name);
  if (secrets_->is_wrong(name)) return put(value, "", std::move(shown));
  auto secret = secrets_->read(name);
  if (secret) return put(value, std::string(secret->reveal()), std::move(shown));
  if (secrets_->contains(name)) {
    problems_.error(
        place, fmt::format("the secret \"{}\" cannot be read: {}", name, secret.error().message()),
        "");
  } else if (secret.error().code() == Errc::kNotFound) {
    std::vector<std::string_view> known = secrets_->names();
    problems_.error(place, fmt::format("there is no secret \"{}\" in [secrets]", name),
                    nearest(name, known) ? suggest(name, known)
                                         : fmt::format("write {} = ... there, or: {}", name,
                                                       secrets_->how_to_set(name)));
  } else {
    problems_.error(place, secret.error().message(), "");
  }
  put(value, "", std::move(shown));
}

void Interpolation::apply(TomlValue& value, const OperatorSecrets& secrets) {
  secrets_ = &secrets;
  apply(value);
  secrets_ = nullptr;
}

void Interpolation::apply(TomlValue& value) {
  if (value.kind == TomlValue::Kind::kText) return expand(value);
  if (value.kind == TomlValue::Kind::kTable && refer(value)) return;
  for (TomlValue& each : value.list) apply(each);
  for (TomlEntry& each : value.entries) apply(each.value);
}

// Makes one entry of [secrets] the table of its driver. False when it is wrong.
bool Interpolation::settle_secret(TomlEntry& entry) {
  TomlValue& value = entry.value;
  const TomlEntry* named = reference(value);
  if (named != nullptr && named->key == "file") {
    std::filesystem::path file = named->value.text;
    TomlEntry name = *named;
    value = driver_table(value, "folder", "path", *named);
    value.entries.back().value.text = file.parent_path().empty() ? "." : file.parent_path();
    name.key = "file";
    name.value.text = file.filename();
    value.entries.push_back(std::move(name));
    return true;
  }
  if (named != nullptr && named->key == "env") {
    if (!variable(named->value.text, named->value.place)) return false;
    value = driver_table(value, "environment", "variable", *named);
    return true;
  }
  if (value.kind == TomlValue::Kind::kText) {
    std::size_t before = problems_.errors();
    expand(value);
    if (problems_.errors() != before) return false;
    TomlEntry text{entry.key, value.place, value};
    text.value.hidden = true;
    value = driver_table(value, "value", "value", text);
    return true;
  }
  if (value.kind == TomlValue::Kind::kTable) {
    std::size_t before = problems_.errors();
    apply(value);
    return problems_.errors() == before;
  }
  problems_.error(
      value.place, fmt::format("secrets.{} is {}", entry.key, value.kind_name()),
      "write a string, { env = \"NAME\" }, { file = \"PATH\" } or { driver = \"...\" }");
  return false;
}

std::vector<Interpolation::TakenSecret> Interpolation::take_secrets(TomlValue& top,
                                                                    OperatorSecrets& secrets) {
  auto at = std::ranges::find(top.entries, "secrets", &TomlEntry::key);
  if (at == top.entries.end()) return {};
  if (at->value.kind != TomlValue::Kind::kTable) {
    problems_.error(at->place, fmt::format("secrets is {}", at->value.kind_name()),
                    "write a table: [secrets]");
  }
  std::vector<TomlEntry> entries = std::move(at->value.entries);
  top.entries.erase(at);
  std::vector<TakenSecret> taken;
  in_secrets_ = true;
  for (TomlEntry& entry : entries) {
    const TomlEntry* named = reference(entry.value);
    bool is_file = named != nullptr && named->key == "file";
    if (settle_secret(entry)) {
      taken.push_back({std::move(entry), is_file});
    } else {
      secrets.add_wrong(entry.key);
    }
  }
  in_secrets_ = false;
  return taken;
}

}  // namespace weft
