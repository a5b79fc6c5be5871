#include "app/build_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weft {
namespace {

constexpr std::array<std::string_view, 3> kSdkWorlds{"http", "http-p2", "command"};

struct Known {
  std::string_view name;
  BuildSettings::Language language;
};
constexpr std::array<Known, 4> kLanguages{{{"c", BuildSettings::Language::kC},
                                           {"c++", BuildSettings::Language::kCxx},
                                           {"go", BuildSettings::Language::kGo},
                                           {"rust", BuildSettings::Language::kRust}}};

}  // namespace

bool is_sdk_world(std::string_view name) {
  return std::ranges::find(kSdkWorlds, name) != kSdkWorlds.end();
}

BuildSettings BuildSettings::read(const TomlValue& table, std::string where, Problems& problems) {
  BuildSettings settings;
  settings.place = table.place;
  TableReader reader(table, std::move(where), problems);
  if (auto language = reader.text("language")) {
    const auto* known = std::ranges::find(kLanguages, language->text, &Known::name);
    if (known != kLanguages.end()) {
      settings.language = known->language;
    } else {
      problems.error(language->place, fmt::format("weft does not compile \"{}\"", language->text),
                     "write \"c\", \"c++\", \"go\" or \"rust\", or give a command: build = \"make "
                     "cart.wasm\"");
    }
  } else if (table.find("language") == nullptr) {
    reader.missing("language", R"(language = "c++", "c", "go" or "rust")");
  }
  if (auto flags = reader.texts("flags", R"(["-DNDEBUG"])")) settings.flags = *std::move(flags);
  if (settings.language == Language::kGo || settings.language == Language::kRust) {
    if (auto folder = reader.text("folder")) settings.folder = folder->text;
    if (settings.language == Language::kGo) {
      if ((settings.wit = reader.text("wit"))) {
        if (auto world = reader.text("world")) settings.world = *std::move(world);
      }
    }
  } else {
    settings.read_sources(reader, problems);
    settings.read_world(reader, problems);
  }
  reader.finish();
  return settings;
}

void BuildSettings::read_sources(TableReader& reader, Problems& problems) {
  if (auto named = reader.texts("sources", R"(["main.cc"])")) sources = *std::move(named);
  const TomlEntry* entry = reader.table().find("sources");
  if (entry == nullptr) {
    reader.missing("sources", R"(sources = ["main.cc"])");
  } else if (sources.empty() || sources.size() > kSourcesMax) {
    problems.error(entry->place, fmt::format("{} has {} sources", reader.where(), sources.size()),
                   fmt::format("name 1 to {} files", kSourcesMax));
  }
}

void BuildSettings::read_world(TableReader& reader, Problems& problems) {
  if (auto named = reader.text("world")) world = *std::move(named);
  wit = reader.text("wit");
  if (wit) return;
  if (reader.table().find("world") == nullptr) {
    reader.missing("world", R"(world = "http" (WASI 0.3), "http-p2" or "command"; or wit = "wit")");
  } else if (!is_sdk_world(world.text)) {
    problems.error(world.place, fmt::format("the SDK has no world \"{}\"", world.text),
                   suggest(world.text, {kSdkWorlds.begin(), kSdkWorlds.end()}) +
                       " A world of your own: wit = \"wit\" names its folder");
  }
}

}  // namespace weft
