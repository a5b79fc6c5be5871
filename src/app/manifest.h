#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/build_settings.h"
#include "app/limit_settings.h"
#include "app/link_settings.h"
#include "app/problems.h"
#include "app/provider_settings.h"
#include "app/table_reader.h"
#include "capabilities/table.h"
#include "triggers/event/call_settings.h"

namespace weft {

// One `uses` line: what a component asks for of one capability.
struct UsesLine {
  Place place = {};
  std::vector<Placed> names = {};                      // ["carts"]
  std::vector<std::pair<Placed, Placed>> values = {};  // { currency = "EUR" }
};

struct ComponentManifest {
  std::string name;
  Place place;
  Placed source;
  // How it is built: by a command, or by weft itself; or it lies there built.
  std::optional<Placed> build;
  std::optional<BuildSettings> compiled;
  std::map<std::string, UsesLine, std::less<>> uses;
  LimitSettings limits;
  std::vector<LinkSettings> links = {};
  bool shared = false;  // One instance for all that are linked to it.
};

struct HttpTrigger {
  Place place;
  Placed route;
  std::string host;
  std::vector<std::string> methods;
  std::optional<Placed> component;  // One of the two.
  std::optional<Placed> files;
};

// What wakes a component beside requests: [[trigger.NAME]] of a capability.
struct EventTrigger {
  Place place;
  std::string capability;
  std::string name;  // Of the trigger.
  Placed component;
  TriggerSettings settings;
  CallSettings calls = {};
  // False: what is wrong with the settings was told, and they lack it.
  bool whole = true;
  std::map<std::string, Place, std::less<>> places = {};  // Of the settings that are there.

  // Of the whole trigger, where it has no such key.
  const Place& place_of(std::string_view key) const {
    auto found = places.find(key);
    return found == places.end() ? place : found->second;
  }
};

// The developer's file, weft.toml.
struct Manifest {
  std::string file;
  Placed name;
  std::vector<ComponentManifest> components;
  std::vector<ProviderManifest> providers;
  std::vector<HttpTrigger> triggers;
  std::vector<EventTrigger> events = {};

  static constexpr std::size_t kNameBytesMax = 63;
  static constexpr std::size_t kComponentsMax = 256;
  static constexpr std::size_t kTriggersMax = 4096;

  // `capabilities` knows what stands in `uses`. What can be read of it, with everything that is
  // wrong told to `problems`: what it returns is whole only when they have not failed. Nothing when
  // the text is no TOML.
  static std::optional<Manifest> parse(std::string_view text, const std::string& file,
                                       const CapabilityTable& capabilities, Problems& problems);
  static std::optional<Manifest> read(const std::string& file, const CapabilityTable& capabilities,
                                      Problems& problems);

  const ComponentManifest* find(std::string_view component) const;
};

}  // namespace weft
