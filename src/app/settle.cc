#include "app/settle.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "capabilities/config/config.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

// "in prod.toml", or how to have such a file.
std::string in_environment(const Environment& environment) {
  if (!environment.file.empty()) return "in " + environment.file;
  return "in a file that --on names";
}

class Settler {
 public:
  Settler(const Manifest& manifest, const Environment& environment, const GivenVariables& given,
          Problems& problems)
      : manifest_(manifest), environment_(environment), given_(given), problems_(problems) {}

  AppSettings settle() {
    AppSettings app{
        manifest_.name.text, manifest_.name.place, manifest_.file, {}, manifest_.triggers, {}};
    for (const ProviderManifest& provider : manifest_.providers) {
      app.providers.push_back({provider.place, settle(provider)});
    }
    for (const ComponentManifest& component : manifest_.components) {
      app.components.push_back(settle(component));
    }
    for (const auto& each : environment_.values) {
      check_known(each.capability, each.app, each.component);
    }
    for (const auto& each : environment_.limits) check_known("limits", each.app, each.component);
    for (const DriverSettings& each : environment_.drivers) check_source_of(each);
    for (HttpTrigger& trigger : app.triggers) check_trigger(trigger);
    app.events = manifest_.events;
    std::erase_if(app.events,
                  [this](const EventTrigger& event) { return !check_reached(event.component); });
    return app;
  }

 private:
  ComponentSettings settle(const ComponentManifest& component) {
    ComponentSettings settings{
        component.place, component.source.place, component.limits, {}, {}, {}, false, {}};
    Plan::Component& plan = settings.plan;
    plan.app = manifest_.name.text;
    plan.name = component.name;
    plan.file = beside(component.source.text);
    plan.shared = component.shared;
    plan.granting = Plan::Component::Granting::kAsWritten;
    plan.grants.args = {component.name};
    for (const auto& each : environment_.limits) {
      if (is_of(each.app, each.component, component)) settings.limits.merge(each.limits);
    }
    settings.limits.apply(plan.limits);
    plan.cpu = settings.limits.cpu;
    plan.time = settings.limits.time;
    settings.has_file = check_source(component, plan.file);
    for (const auto& [kind, line] : component.uses) use(component, kind, line, settings);
    for (const LinkSettings& link : component.links) {
      settings.links.push_back(link);
      if (!check_link(component, link)) settings.links.back().name.text.clear();
    }
    add_rules(environment_.allow_http, &NetRules::add_http, RuleSource::kEnvironment, plan);
    add_rules(environment_.allow_net, &NetRules::add_net, RuleSource::kEnvironment, plan);
    for (const DriverSettings& each : environment_.drivers) take_source(each, plan);
    for (const OperatorValues& each : environment_.values) {
      if (is_of(each.app, each.component, component)) take_values(each, plan);
    }
    return settings;
  }

  ProviderSettings settle(const ProviderManifest& provider) {
    ProviderSettings settings{.app = manifest_.name.text,
                              .name = provider.name,
                              .command = {},
                              .folder = folder(),
                              .configuration_json = {},
                              .secrets = {},
                              .withheld = environment_.secret_variables};
    for (const Placed& word : provider.command) settings.command.push_back(word.text);
    if (!provider.command.empty()) {
      const Placed& program = provider.command.front();
      if (auto found = find_program(program.text, settings.folder); !found) {
        problems_.error(program.place,
                        fmt::format("provider {}: {}", provider.name, found.error().message()),
                        found.error().code() == Errc::kDenied
                            ? "change its mode: chmod +x"
                            : "build it, or write its path from weft.toml's folder");
      }
    }
    std::vector<std::pair<Placed, Secret>> over;
    // Providers share the table of wasi:config.
    for (const OperatorValues& each : environment_.values) {
      if (each.capability != "config" || each.app.text != manifest_.name.text) continue;
      if (each.component.text != provider.name) continue;
      over.insert(over.end(), each.values.begin(), each.values.end());
    }
    settings.configuration_json = provider_configuration(provider, over, problems_);
    for (const Placed& name : provider.secrets) {
      if (auto value = read_secret(name)) settings.secrets.emplace_back(name.text, *value);
    }
    return settings;
  }

  void use(const ComponentManifest& component, std::string_view kind, const UsesLine& line,
           ComponentSettings& settings) {
    if (kind == "http") {
      settings.allow_http = line.names;
      add_rules(line.names, &NetRules::add_http, RuleSource::kManifest, settings.plan);
    } else if (kind == "net") {
      settings.allow_net = line.names;
      add_rules(line.names, &NetRules::add_net, RuleSource::kManifest, settings.plan);
    } else if (kind == "env") {
      for (const Placed& name : line.names) give_variable(name, settings.plan.grants);
    } else if (kind == "folders") {
      for (const Placed& name : line.names) give_folder(name, settings.plan.grants);
    } else {
      settings.plan.uses.emplace(kind, use_of(kind, line));
      // What keeps them on another machine is asked when they are used, or as weft starts.
      if (kind != "secrets") return;
      for (const Placed& name : line.names) {
        if (environment_.secrets.is_local(name.text)) read_secret(name);
      }
    }
  }

  // A rule of the operator's file is wrong for every component, and told once.
  void add_rules(const std::vector<Placed>& rules,
                 Result<void> (NetRules::*add)(std::string_view, RuleSource), RuleSource source,
                 Plan::Component& plan) {
    for (const Placed& rule : rules) {
      auto added = (plan.grants.network.*add)(rule.text, source);
      if (added || !told_.insert(rule.place.text()).second) continue;
      problems_.error(rule.place, added.error().message(), "");
    }
  }

  // What a capability is told.
  Use use_of(std::string_view kind, const UsesLine& line) const {
    Use use;
    for (const Placed& name : line.names) {
      use.names.push_back(name.text);
      if (const DriverSettings* driver = environment_.driver(kind, name.text)) {
        use.drivers.emplace(name.text, driver->choice);
      }
    }
    for (const auto& [key, value] : line.values) use.values.emplace_back(key.text, value.text);
    return use;
  }

  bool is_of(const Placed& app, const Placed& name, const ComponentManifest& component) const {
    return app.text == manifest_.name.text && name.text == component.name;
  }

  // Puts the operator's values in the place of the developer's: they are of those that the
  // component asks for.
  void take_values(const OperatorValues& from, Plan::Component& plan) {
    auto use = plan.uses.find(from.capability);
    for (const auto& [key, value] : from.values) {
      std::vector<std::string_view> known;
      std::string* into = nullptr;
      if (use != plan.uses.end()) {
        for (auto& [name, text] : use->second.values) {
          known.push_back(name);
          if (name == key.text) into = &text;
        }
      }
      if (into != nullptr) {
        *into = value.reveal();
        // What the operator writes holds, whatever all keys come from.
        std::map<std::string, DriverChoice, std::less<>>& drivers = use->second.drivers;
        if (drivers.contains(config::ConfigCapability::kEvery)) {
          drivers.emplace(key.text,
                          DriverChoice{std::string(config::ConfigCapability::kManifest), {}});
        }
        continue;
      }
      problems_.error(key.place,
                      fmt::format("component {} of {} asks for no {} value \"{}\"", plan.name,
                                  manifest_.name.text, from.capability, key.text),
                      suggest(key.text, known));
    }
  }

  // Takes what the operator chose for a value of the component, "shop.cart.currency", or for all of
  // them, "shop.cart.*".
  void take_source(const DriverSettings& from, Plan::Component& plan) {
    std::string before = fmt::format("{}.{}.", manifest_.name.text, plan.name);
    std::string_view key = from.name.text;
    auto use = plan.uses.find(from.capability);
    if (from.capability != "config" || !key.starts_with(before)) return;
    key.remove_prefix(before.size());
    std::vector<std::string_view> known;
    if (use != plan.uses.end()) {
      for (const auto& [name, value] : use->second.values) known.push_back(name);
    }
    bool every = key == config::ConfigCapability::kEvery && use != plan.uses.end();
    if (every || std::ranges::find(known, key) != known.end()) {
      use->second.drivers.insert_or_assign(std::string(key), from.choice);
      return;
    }
    problems_.error(from.name.place,
                    fmt::format("component {} of {} asks for no {} value \"{}\"", plan.name,
                                manifest_.name.text, from.capability, key),
                    suggest(key, known));
  }

  // Where it cannot be read, that is told; one that is wrong in the operator's file was.
  std::optional<Secret> read_secret(const Placed& name) {
    const OperatorSecrets& secrets = environment_.secrets;
    if (secrets.is_wrong(name.text)) return std::nullopt;
    auto value = secrets.read(name.text);
    if (value) return *std::move(value);
    if (value.error().code() == Errc::kNotFound && !secrets.contains(name.text)) {
      problems_.error(
          name.place, fmt::format("nothing gives the secret \"{}\"", name.text),
          fmt::format("{}, or write [secrets] and in it {} = ... {}", secrets.how_to_set(name.text),
                      name.text, in_environment(environment_)));
    } else {
      problems_.error(
          name.place,
          fmt::format("the secret \"{}\" cannot be read: {}", name.text, value.error().message()),
          "");
    }
    return std::nullopt;
  }

  void give_variable(const Placed& name, WasiGrants& grants) {
    if (auto found = given_.find(name.text); found != given_.end()) {
      grants.env.emplace_back(name.text, found->second);
    } else if (auto set = environment_.variables.find(name.text);
               set != environment_.variables.end()) {
      grants.env.emplace_back(name.text, set->second.reveal());
    } else {
      problems_.error(name.place,
                      fmt::format("nothing gives the environment variable {}", name.text),
                      fmt::format("write [env] and in it {} = ... {}, or --env {}=...", name.text,
                                  in_environment(environment_), name.text));
    }
  }

  void give_folder(const Placed& name, WasiGrants& grants) {
    auto set = environment_.folders.find(name.text);
    bool plain = !name.text.empty() && name.text.find('/') == std::string::npos &&
                 name.text != "." && name.text != "..";
    if (!plain) {
      problems_.error(name.place, fmt::format("\"{}\" is no name of a folder", name.text),
                      "write a name without a slash, and [folder.NAME] path = ... for its place");
      return;
    }
    Folder folder{beside(name.text), "/" + name.text, Folder::Access::kRead};
    Place place = name.place;
    if (set != environment_.folders.end()) {
      folder.host = set->second.path.text;
      place = set->second.path.place;
      if (set->second.writable) folder.access = Folder::Access::kReadWrite;
    }
    if (check_folder(folder.host, place)) grants.folders.push_back(std::move(folder));
  }

  bool check_folder(const std::string& path, const Place& place) {
    std::error_code problem;
    if (!fs::is_directory(path, problem)) {
      problems_.error(place, fmt::format("there is no folder {}", path),
                      fmt::format("make it, or write [folder.NAME] and in it path = ... {}",
                                  in_environment(environment_)));
      return false;
    }
    if (::access(path.c_str(), R_OK | X_OK) == 0) return true;
    problems_.error(place, fmt::format("the folder {} may not be read", path),
                    "change its mode, or run as a user who may read it");
    return false;
  }

  static std::string how_to_build(const ComponentManifest& component) {
    if (component.compiled) return "build it with: weft build";
    if (component.build) return fmt::format("build it with: {}", component.build->text);
    return "write the path of a .wasm, from weft.toml's folder";
  }

  bool check_source(const ComponentManifest& component, const std::string& file) {
    if (component.source.text.empty()) return false;
    std::error_code problem;
    if (fs::is_regular_file(file, problem)) return true;
    problems_.error(component.source.place,
                    fmt::format("there is no file {} for component {}", file, component.name),
                    how_to_build(component));
    return false;
  }

  // [limits.shop.crat] is told; what is for an app that does not run now is not.
  void check_known(std::string_view table, const Placed& app, const Placed& component) {
    if (app.text != manifest_.name.text || manifest_.find(component.text) != nullptr) return;
    bool provider = std::ranges::find(manifest_.providers, component.text,
                                      &ProviderManifest::name) != manifest_.providers.end();
    if (table == "config" && provider) return;
    problems_.error(
        component.place,
        fmt::format("[{}.{}.{}]: the app has no such component", table, app.text, component.text),
        suggest(component.text, component_names()));
  }

  // A driver of values is for a component: what a process is given is read once. A component that
  // the app does not have was told of already.
  void check_source_of(const DriverSettings& from) {
    if (from.capability != "config") return;
    for (const ProviderManifest& provider : manifest_.providers) {
      std::string before = fmt::format("{}.{}.", manifest_.name.text, provider.name);
      if (!from.name.text.starts_with(before) || manifest_.find(provider.name) != nullptr) continue;
      problems_.error(from.name.place,
                      fmt::format("{} is a process, whose values have no driver", provider.name),
                      "write a value, { env = \"NAME\" } or { secret = \"NAME\" }");
    }
  }

  bool check_node(const Placed& name) {
    std::vector<std::string_view> known;
    for (const NodeTable& each : environment_.nodes) known.push_back(each.name.text);
    if (std::ranges::find(known, name.text) != known.end()) return true;
    problems_.error(name.place, fmt::format("nothing says where the node \"{}\" is", name.text),
                    known.empty() ? fmt::format("write [node.{}] and in it at = \"...\" and key = "
                                                "\"...\" {}",
                                                name.text, in_environment(environment_))
                                  : suggest(name.text, known));
    return false;
  }

  bool check_link(const ComponentManifest& component, const LinkSettings& link) {
    const Placed& name = link.name;
    if (link.to == LinkSettings::To::kNode) return check_node(name);
    if (link.to == LinkSettings::To::kProvider) {
      std::vector<std::string_view> known;
      for (const ProviderManifest& each : manifest_.providers) known.push_back(each.name);
      if (std::ranges::find(known, name.text) != known.end()) return true;
      problems_.error(name.place, fmt::format("there is no provider \"{}\"", name.text),
                      known.empty()
                          ? fmt::format("write [provider.{}] and in it command = [...]", name.text)
                          : suggest(name.text, known));
      return false;
    }
    if (name.text == component.name) {
      problems_.error(name.place,
                      fmt::format("component {} is linked to itself: what it imports cannot be "
                                  "served by its own exports",
                                  name.text),
                      "name another component");
      return false;
    }
    if (manifest_.find(name.text) != nullptr) return true;
    problems_.error(name.place, fmt::format("there is no component \"{}\"", name.text),
                    suggest(name.text, component_names()));
    return false;
  }

  void check_trigger(HttpTrigger& trigger) {
    if (trigger.files) {
      trigger.files->text = beside(trigger.files->text);
      check_folder(trigger.files->text, trigger.files->place);
    }
    if (trigger.component && !check_reached(*trigger.component)) trigger.component.reset();
  }

  bool check_reached(const Placed& component) {
    if (manifest_.find(component.text) != nullptr) return true;
    problems_.error(component.place, fmt::format("there is no component \"{}\"", component.text),
                    suggest(component.text, component_names()));
    return false;
  }

  std::vector<std::string_view> component_names() const {
    std::vector<std::string_view> names;
    for (const ComponentManifest& each : manifest_.components) names.push_back(each.name);
    return names;
  }

  std::string folder() const {
    std::string folder = fs::path(manifest_.file).parent_path();
    return folder.empty() ? "." : folder;
  }

  // A path of the manifest is relative to it.
  std::string beside(const std::string& path) const {
    if (path.starts_with('/')) return path;
    return fs::path(manifest_.file).parent_path() / path;
  }

  const Manifest& manifest_;
  const Environment& environment_;
  const GivenVariables& given_;
  Problems& problems_;
  std::set<std::string> told_;
};

}  // namespace

AppSettings settle(const Manifest& manifest, const Environment& environment,
                   const GivenVariables& given, Problems& problems) {
  return Settler(manifest, environment, given, problems).settle();
}

}  // namespace weft
