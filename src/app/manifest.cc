#include "app/manifest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "app/driver_keys.h"
#include "base/check.h"
#include "base/nearest.h"

namespace weft {
namespace {

using Shape = UsesForm::Shape;

// What WASI's own interfaces may reach; capabilities say themselves what stands in their lines.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWasiUses{{
    {"http", R"(["https://api.example.com"])"},
    {"net", R"(["tcp://db.example.com:5432"])"},
    {"env", R"(["REGION"])"},
    {"folders", R"(["assets"])"},
}};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= Manifest::kNameBytesMax &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

void check_name(std::string_view what, const Placed& name, Problems& problems) {
  if (is_name(name.text)) return;
  problems.error(name.place, fmt::format("\"{}\" is no name of {}", name.text, what),
                 fmt::format("write 1 to {} of a-z, 0-9 and -", Manifest::kNameBytesMax));
}

class ManifestReader {
 public:
  ManifestReader(const std::string& file, const CapabilityTable& capabilities, Problems& problems)
      : capabilities_(capabilities), problems_(problems) {
    manifest_.file = file;
  }

  Manifest read(const TomlValue& top) {
    TableReader reader(top, "", problems_);
    if (const TomlEntry* app = reader.take_table("app")) {
      read_app(app->value);
    } else if (reader.table().find("app") == nullptr) {
      reader.missing("[app]", "[app] and in it name = \"...\"");
    }
    if (const TomlEntry* components = reader.take_table("component")) {
      for (const TomlEntry& each : components->value.entries) read_component(each);
    }
    if (const TomlEntry* providers = reader.take_table("provider")) {
      for (const TomlEntry& each : providers->value.entries) read_provider(each);
    }
    if (const TomlEntry* triggers = reader.take_table("trigger")) read_triggers(triggers->value);
    reader.finish();
    if (manifest_.components.empty() && manifest_.triggers.empty()) {
      problems_.error({manifest_.file}, "the app has no component",
                      "write [component.NAME] and in it source = \"...\"");
    }
    return std::move(manifest_);
  }

 private:
  void read_app(const TomlValue& table) {
    TableReader reader(table, "[app]", problems_);
    if (auto name = reader.text("name")) {
      check_name("an app", *name, problems_);
      manifest_.name = *std::move(name);
    } else if (table.find("name") == nullptr) {
      reader.missing("name", "name = \"...\"");
    }
    reader.finish();
  }

  void read_component(const TomlEntry& entry) {
    if (entry.value.kind != TomlValue::Kind::kTable) {
      problems_.error(entry.place, fmt::format("component.{} is {}", entry.key, show(entry.value)),
                      fmt::format("write a table: [component.{}]", entry.key));
      return;
    }
    if (manifest_.components.size() == Manifest::kComponentsMax) {
      problems_.error(entry.place, "one component too many",
                      fmt::format("an app has at most {}", Manifest::kComponentsMax));
      return;
    }
    ComponentManifest component{entry.key, entry.place, {}, {}, {}, {}, {}, {}, false};
    check_name("a component", {entry.key, entry.place}, problems_);
    TableReader reader(entry.value, fmt::format("[component.{}]", entry.key), problems_);
    read_build(reader, component);
    if (auto source = reader.text("source")) {
      component.source = *std::move(source);
      check_path("source", component.source);
    } else if (component.compiled && entry.value.find("source") == nullptr) {
      component.source = {fmt::format("build/{}.wasm", component.name), component.compiled->place};
    } else if (entry.value.find("source") == nullptr) {
      reader.missing("source", "source = \"FILE.wasm\"");
    }
    if (const TomlEntry* uses = reader.take_table("uses")) read_uses(*uses, component);
    if (const TomlEntry* limits = reader.take_table("limits")) {
      component.limits = LimitSettings::read(limits->value, reader.name_of("limits"), problems_);
    }
    if (const TomlEntry* links = reader.take_table("links")) {
      component.links = LinkSettings::read(links->value, reader.name_of("links"), problems_);
    }
    component.shared = reader.flag("shared").value_or(false);
    reader.finish();
    manifest_.components.push_back(std::move(component));
  }

  void read_provider(const TomlEntry& entry) {
    if (entry.value.kind != TomlValue::Kind::kTable) {
      problems_.error(entry.place, fmt::format("provider.{} is {}", entry.key, show(entry.value)),
                      fmt::format("write a table: [provider.{}]", entry.key));
      return;
    }
    if (manifest_.providers.size() == ProviderManifest::kProvidersMax) {
      problems_.error(entry.place, "one provider too many",
                      fmt::format("an app has at most {}", ProviderManifest::kProvidersMax));
      return;
    }
    check_name("a provider", {entry.key, entry.place}, problems_);
    manifest_.providers.push_back(ProviderManifest::read(entry, problems_));
  }

  void check_path(std::string_view key, const Placed& path) {
    if (!path.text.empty()) return;
    problems_.error(path.place, fmt::format("{} is empty", key),
                    "write a path, from weft.toml's folder");
  }

  // build = "COMMAND", or a table of what weft's own compiler needs to know.
  void read_build(TableReader& reader, ComponentManifest& component) {
    const TomlEntry* build = reader.take("build");
    if (build != nullptr && build->value.kind == TomlValue::Kind::kTable) {
      component.compiled = BuildSettings::read(build->value, reader.name_of("build"), problems_);
    } else {
      component.build = reader.text("build");
    }
  }

  void read_uses(const TomlEntry& entry, ComponentManifest& component) {
    TableReader reader(entry.value, fmt::format("[component.{}.uses]", component.name), problems_);
    for (const auto& [name, example] : kWasiUses) {
      read_line(reader, name, {Shape::kNames, example}, component);
    }
    for (const auto& capability : capabilities_.all()) {
      std::string_view name = capability->name();
      CHECK(!reader.knows(name));
      if (auto form = capability->uses()) {
        read_line(reader, name, *form, component);
        check_names(*capability, component);
      } else {
        reader.refuse(name, fmt::format("{} needs no line", name), "leave it out");
      }
    }
    reader.finish();
  }

  void check_names(const Capability& capability, const ComponentManifest& component) {
    auto uses = component.uses.find(capability.name());
    if (uses == component.uses.end()) return;
    for (const Placed& name : uses->second.names) {
      if (auto checked = capability.check_name(name.text); !checked) {
        problems_.error(name.place, checked.error().message(), "");
      }
    }
  }

  void read_line(TableReader& reader, std::string_view name, const UsesForm& form,
                 ComponentManifest& component) {
    const TomlEntry* line = reader.take(name);
    if (line == nullptr) return;
    UsesLine uses{line->value.place, {}, {}};
    bool empty_list = line->value.kind == TomlValue::Kind::kList && line->value.list.empty();
    if (form.shape == Shape::kNames) {
      uses.names = read_texts(line->value, fmt::format("uses.{}", name), form.example, problems_);
    } else if (!empty_list) {
      uses.values = read_values(line->value, name, form);
    }
    component.uses.emplace(name, std::move(uses));
  }

  std::vector<std::pair<Placed, Placed>> read_values(const TomlValue& table, std::string_view name,
                                                     const UsesForm& form) {
    std::vector<std::pair<Placed, Placed>> values;
    if (table.kind != TomlValue::Kind::kTable) {
      problems_.error(table.place, fmt::format("uses.{} is {}", name, show(table)),
                      fmt::format("write a table of strings, like {}", form.example));
    }
    for (const TomlEntry& each : table.entries) {
      if (each.value.kind != TomlValue::Kind::kText) {
        problems_.error(each.value.place,
                        fmt::format("uses.{}.{} is {}", name, each.key, show(each.value)),
                        "write a string in quotes");
        continue;
      }
      values.emplace_back(Placed{each.key, each.place}, Placed{each.value.text, each.value.place});
    }
    return values;
  }

  void read_triggers(const TomlValue& table) {
    TableReader reader(table, "[trigger]", problems_);
    if (const TomlEntry* http = reader.take("http")) {
      if (http->value.kind == TomlValue::Kind::kList) {
        for (const TomlValue& each : http->value.list) read_http(each);
      } else {
        problems_.error(http->place, fmt::format("trigger.http is {}", show(http->value)),
                        "write each with double brackets: [[trigger.http]]");
      }
    }
    for (const auto& capability : capabilities_.all()) {
      auto form = capability->trigger();
      if (!form) continue;
      const TomlEntry* triggers = reader.take(form->name);
      if (triggers == nullptr) continue;
      if (triggers->value.kind != TomlValue::Kind::kList) {
        problems_.error(triggers->place,
                        fmt::format("trigger.{} is {}", form->name, show(triggers->value)),
                        fmt::format("write each with double brackets: [[trigger.{}]]", form->name));
        continue;
      }
      for (const TomlValue& each : triggers->value.list) read_event(*capability, *form, each);
    }
    refuse_unknown(reader);
    reader.finish();
  }

  // "[[trigger.messages]]"
  void refuse_unknown(TableReader& reader) {
    std::vector<std::string> names{"[[trigger.http]]"};
    for (const auto& capability : capabilities_.all()) {
      if (auto form = capability->trigger())
        names.push_back(fmt::format("[[trigger.{}]]", form->name));
    }
    std::vector<std::string_view> known(names.begin(), names.end());
    for (const TomlEntry& entry : reader.table().entries) {
      if (reader.knows(entry.key)) continue;
      std::string written = fmt::format("[[trigger.{}]]", entry.key);
      auto meant = nearest(written, known);
      reader.refuse(entry.key, fmt::format("there is no {}", written),
                    meant ? fmt::format("did you mean {}?", *meant)
                          : fmt::format("what there is: {}", fmt::join(known, ", ")));
    }
  }

  void read_event(const Capability& capability, const TriggerForm& form, const TomlValue& table) {
    std::string where = fmt::format("[[trigger.{}]]", form.name);
    if (table.kind != TomlValue::Kind::kTable) {
      problems_.error(table.place, fmt::format("trigger.{} has {} in it", form.name, show(table)),
                      fmt::format("write each with double brackets: {}", where));
      return;
    }
    if (manifest_.events.size() == Manifest::kTriggersMax) {
      problems_.error(table.place, "one trigger too many",
                      fmt::format("an app has at most {}", Manifest::kTriggersMax));
      return;
    }
    TableReader reader(table, where, problems_);
    auto component = reader.text("component");
    if (table.find("component") == nullptr) reader.missing("component", "component = \"NAME\"");
    std::size_t told = problems_.errors();
    // A path in it is from weft.toml's folder.
    TriggerSettings settings{read_keys(reader, form.keys, [this](const std::string& path) {
      return (std::filesystem::path(manifest_.file).parent_path() / path).string();
    })};
    bool whole = problems_.errors() == told;
    CallSettings calls = read_call_settings(reader);
    reader.finish();
    if (!component) return;
    EventTrigger event{table.place,
                       std::string(capability.name()),
                       std::string(form.name),
                       *std::move(component),
                       std::move(settings),
                       calls,
                       whole,
                       {}};
    for (const DriverKey& key : form.keys) {
      if (const TomlEntry* entry = table.find(key.name)) {
        event.places.emplace(key.name, entry->value.place);
      }
    }
    manifest_.events.push_back(std::move(event));
  }

  CallSettings read_call_settings(TableReader& reader) {
    CallSettings calls;
    auto deadline = reader.duration("deadline", std::chrono::milliseconds(1), kDurationMax);
    if (deadline) calls.deadline = std::chrono::floor<std::chrono::milliseconds>(*deadline);
    auto instances = reader.text("instances");
    if (instances && instances->text == "reused") {
      calls.instances = CallSettings::Instances::kReused;
    } else if (instances && instances->text != "fresh") {
      problems_.error(
          instances->place, fmt::format("instances is \"{}\"", instances->text),
          "\"fresh\": one for each call; or \"reused\": one call after the other in it");
    }
    return calls;
  }

  void read_http(const TomlValue& table) {
    if (table.kind != TomlValue::Kind::kTable) {
      problems_.error(table.place, fmt::format("trigger.http has {} in it", show(table)),
                      "write each with double brackets: [[trigger.http]]");
      return;
    }
    if (manifest_.triggers.size() == Manifest::kTriggersMax) {
      problems_.error(table.place, "one trigger too many",
                      fmt::format("an app has at most {}", Manifest::kTriggersMax));
      return;
    }
    TableReader reader(table, "[[trigger.http]]", problems_);
    HttpTrigger trigger{table.place, {}, {}, {}, {}, {}};
    bool routed = table.find("route") != nullptr;
    if (auto route = reader.text("route")) trigger.route = *std::move(route);
    if (!routed) reader.missing("route", "route = \"/...\" to take all requests");
    if (auto host = reader.text("host")) trigger.host = std::move(host->text);
    if (auto methods = reader.texts("methods", R"(["GET", "POST"])")) {
      for (Placed& each : *methods) trigger.methods.push_back(std::move(each.text));
    }
    trigger.component = reader.text("component");
    trigger.files = reader.text("files");
    if (trigger.files) check_path("files", *trigger.files);
    if (table.find("component") != nullptr && table.find("files") != nullptr) {
      problems_.error(table.place, "[[trigger.http]] has both component and files",
                      "leave one of them out");
    } else if (table.find("component") == nullptr && table.find("files") == nullptr) {
      reader.missing("component", "component = \"NAME\", or files = \"FOLDER\"");
    }
    reader.finish();
    // A trigger that is not whole is of no use to those who look for what else is wrong.
    if (!trigger.route.text.empty()) manifest_.triggers.push_back(std::move(trigger));
  }

  const CapabilityTable& capabilities_;
  Problems& problems_;
  Manifest manifest_;
};

}  // namespace

std::optional<Manifest> Manifest::parse(std::string_view text, const std::string& file,
                                        const CapabilityTable& capabilities, Problems& problems) {
  auto top = parse_toml(text, file, problems);
  if (!top) return std::nullopt;
  return ManifestReader(file, capabilities, problems).read(*top);
}

std::optional<Manifest> Manifest::read(const std::string& file, const CapabilityTable& capabilities,
                                       Problems& problems) {
  auto top = read_toml(file, problems);
  if (!top) return std::nullopt;
  return ManifestReader(file, capabilities, problems).read(*top);
}

const ComponentManifest* Manifest::find(std::string_view component) const {
  auto found = std::ranges::find(components, component, &ComponentManifest::name);
  return found == components.end() ? nullptr : &*found;
}

}  // namespace weft
