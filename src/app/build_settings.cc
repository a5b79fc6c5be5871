#include "app/build_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weft {
namespace {

constexpr std::array<std::string_view, 3> kSdkWorlds{"http", "http-p2", "command"};

}  // namespace

bool is_sdk_world(std::string_view name) {
  return std::ranges::find(kSdkWorlds, name) != kSdkWorlds.end();
}

BuildSettings BuildSettings::read(const TomlValue& table, std::string where, Problems& problems) {
  BuildSettings settings;
  settings.place = table.place;
  TableReader reader(table, std::move(where), problems);
  if (auto language = reader.text("language")) {
    if (language->text == "c") {
      settings.language = Language::kC;
    } else if (language->text != "c++") {
      problems.error(language->place, fmt::format("weft does not compile \"{}\"", language->text),
                     "write \"c\" or \"c++\", or give a command: build = \"make cart.wasm\"");
    }
  } else if (table.find("language") == nullptr) {
    reader.missing("language", R"(language = "c++", or "c")");
  }
  if (auto sources = reader.texts("sources", R"(["main.cc"])")) {
    settings.sources = *std::move(sources);
  }
  if (table.find("sources") == nullptr) {
    reader.missing("sources", R"(sources = ["main.cc"])");
  } else if (settings.sources.empty() || settings.sources.size() > kSourcesMax) {
    problems.error(table.find("sources")->place,
                   fmt::format("{} has {} sources", reader.where(), settings.sources.size()),
                   fmt::format("name 1 to {} files", kSourcesMax));
  }
  if (auto world = reader.text("world")) settings.world = *std::move(world);
  settings.wit = reader.text("wit");
  if (auto flags = reader.texts("flags", R"(["-DNDEBUG"])")) settings.flags = *std::move(flags);
  if (!settings.wit && table.find("world") == nullptr) {
    reader.missing("world", R"(world = "http" (WASI 0.3), "http-p2" or "command"; or wit = "wit")");
  } else if (!settings.wit && !is_sdk_world(settings.world.text)) {
    problems.error(settings.world.place,
                   fmt::format("the SDK has no world \"{}\"", settings.world.text),
                   suggest(settings.world.text, {kSdkWorlds.begin(), kSdkWorlds.end()}) +
                       " A world of your own: wit = \"wit\" names its folder");
  }
  reader.finish();
  return settings;
}

}  // namespace weft
