#include "app/edition_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "base/nearest.h"

namespace weft {
namespace {

// Gathers what the files say, and goes on after what is wrong, to find the rest.
class SettingsReader {
 public:
  SettingsReader(const CapabilityTable& capabilities, Problems& problems)
      : capabilities_(capabilities), problems_(problems) {}

  EditionSettings read(const EditionSources& sources) {
    settings_.environment = Environment::without_file(capabilities_, sources.process);
    if (!sources.environment_file.empty()) {
      auto environment =
          Environment::read(sources.environment_file, capabilities_, sources.process, problems_);
      if (environment) settings_.environment = *std::move(environment);
    }
    if (!sources.alone) {
      for (const std::string& app : sources.apps) read_app(app, sources);
      check_names();
      warn_of_strangers();
      warn_of_crowds(sources);
    }
    return std::move(settings_);
  }

 private:
  void read_app(const std::string& word, const EditionSources& sources) {
    auto file = manifest_of(word);
    if (!file) {
      problems_.error({word}, "it is no app",
                      "name a folder that has a weft.toml, or a file that ends with .toml");
      return;
    }
    auto manifest = Manifest::read(*file, capabilities_, problems_);
    if (!manifest) return;
    if (sources.tap.replay != nullptr) leave_out_processes(*manifest);
    settings_.apps.push_back(
        settle(*manifest, settings_.environment, sources.variables, problems_));
    for (ComponentSettings& component : settings_.apps.back().components) {
      // They were checked with the command line.
      NetRules& network = component.plan.grants.network;
      for (const std::string& rule : sources.allow_http) {
        CHECK(network.add_http(rule, RuleSource::kFlag));
      }
      for (const std::string& rule : sources.allow_net) {
        CHECK(network.add_net(rule, RuleSource::kFlag));
      }
    }
  }

  // Where a recording answers no process is started, so it need not be there.
  static void leave_out_processes(Manifest& manifest) {
    for (ProviderManifest& provider : manifest.providers) {
      provider.command.clear();
      provider.secrets.clear();
    }
  }

  void check_names() {
    const std::vector<AppSettings>& apps = settings_.apps;
    for (std::size_t i = 0; i < apps.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (apps[i].name.empty() || apps[i].name != apps[j].name) continue;
        problems_.error(apps[i].place,
                        fmt::format("there are two apps of the name \"{}\", the other at {}",
                                    apps[i].name, apps[j].place.text()),
                        "give one of them another name");
      }
    }
  }

  // What the operator set for an app that does not run now is fine, unless its name is a slip.
  void warn_of_strangers() {
    std::vector<std::string_view> apps;
    for (const AppSettings& app : settings_.apps) apps.push_back(app.name);
    auto look = [&](std::string_view table, const Placed& app, const Placed& component) {
      auto meant = nearest(app.text, apps);
      if (meant && *meant != app.text) {
        problems_.warn(app.place,
                       fmt::format("[{}.{}.{}]: no app of the name \"{}\" runs here", table,
                                   app.text, component.text, app.text),
                       fmt::format("did you mean {}?", *meant));
      }
    };
    for (const auto& each : settings_.environment.limits) look("limits", each.app, each.component);
    for (const auto& each : settings_.environment.values) {
      look(each.capability, each.app, each.component);
    }
  }

  // Nobody is told of defaults that come to more than there is: not all are busy at once.
  void warn_of_crowds(const EditionSources& sources) {
    std::uint64_t wanted = 0;
    const ComponentSettings* largest = nullptr;
    for (const AppSettings& app : settings_.apps) {
      for (const ComponentSettings& component : app.components) {
        std::uint32_t instances = component.limits.instances.value_or(0);
        wanted += instances * sources.loops;
        if (instances == 0) continue;
        if (largest == nullptr || instances > *largest->limits.instances) largest = &component;
      }
    }
    if (wanted <= kInstancesMax) return;
    problems_.warn(
        largest->place,
        fmt::format("limits.instances of all components come to {} on {} loop{}, and one process "
                    "has at most {}: whoever comes when all are busy is refused",
                    wanted, sources.loops, sources.loops == 1 ? "" : "s", kInstancesMax),
        "write fewer instances, or start it with fewer --loops");
  }

  const CapabilityTable& capabilities_;
  Problems& problems_;
  EditionSettings settings_;
};

}  // namespace

std::size_t EditionSources::processors() {
  return std::max(1U, std::thread::hardware_concurrency());
}

EditionSettings EditionSettings::read(const EditionSources& sources,
                                      const CapabilityTable& capabilities, Problems& problems) {
  return SettingsReader(capabilities, problems).read(sources);
}

std::uint32_t EditionSettings::instances(const EditionSources& sources) const {
  std::uint64_t sum = sources.alone ? sources.alone->limits.instances_max : 0;
  for (const AppSettings& app : apps) {
    for (const ComponentSettings& each : app.components) sum += each.plan.limits.instances_max;
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum * sources.loops, kInstancesMax));
}

std::optional<std::string> manifest_of(const std::string& word) {
  std::error_code problem;
  if (word.ends_with(".toml")) return word;
  if (std::filesystem::is_directory(word, problem)) {
    return (std::filesystem::path(word) / "weft.toml").string();
  }
  return std::nullopt;
}

}  // namespace weft
