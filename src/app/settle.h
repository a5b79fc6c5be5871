#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/environment.h"
#include "app/manifest.h"
#include "app/plan.h"
#include "app/providers.h"

namespace weft {

// A component with everything that both files say of it.
struct ComponentSettings {
  Place place;
  Place source_place;
  LimitSettings limits;
  std::vector<Placed> allow_http;
  std::vector<Placed> allow_net;
  std::vector<LinkSettings>
      links;  // One whose other end is not there, which was told, has no name.
  // Whether there is a file to load.
  bool has_file = false;
  Plan::Component plan;
};

struct AppSettings {
  std::string name;
  Place place;       // Of its name.
  std::string file;  // Its weft.toml.
  std::vector<ComponentSettings> components;
  std::vector<HttpTrigger> triggers;
  // A provider's process, as it is to be started.
  struct Provider {
    Place place;
    ProviderSettings settings;
  };
  std::vector<Provider> providers = {};
  std::vector<EventTrigger> events = {};
};

// Values of environment variables that were given on the command line: they win.
using GivenVariables = std::map<std::string, std::string, std::less<>>;

// Puts a manifest and an environment together. Everything that does not fit is told: what a
// component asks for and nobody gives, what the operator set for nobody, files and folders that are
// not there.
AppSettings settle(const Manifest& manifest, const Environment& environment,
                   const GivenVariables& given, Problems& problems);

}  // namespace weft
