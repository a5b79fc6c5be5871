#include "app/edition.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "app/link_order.h"
#include "base/check.h"
#include "base/nearest.h"

namespace weft {

// Gathers an edition part by part, and goes on after what is wrong, to find the rest.
class EditionMaker {
 public:
  EditionMaker(Runtime& runtime, const CapabilityTable& capabilities, Plan::Opening opening,
               Problems& problems)
      : runtime_(runtime),
        capabilities_(capabilities),
        opening_(opening),
        problems_(problems),
        edition_(new Edition()) {}

  std::shared_ptr<const Edition> make(const EditionSources& sources, const Edition* before) {
    if (!sources.environment_file.empty()) {
      auto environment =
          Environment::read(sources.environment_file, capabilities_, sources.process, problems_);
      if (environment) edition_->environment_ = *std::move(environment);
    }
    load_tls();
    if (sources.alone) {
      load_alone(*sources.alone);
    } else {
      for (const std::string& app : sources.apps) read_app(app, sources);
      check_names();
      // What is behind the capabilities is opened only when all is well so far.
      if (problems_.failed()) opening_ = Plan::Opening::kLookOnly;
      for (const AppSettings& app : edition_->apps_) start_providers(app, before);
      for (const AppSettings& app : edition_->apps_) load(app, sources.arguments);
      check_arguments(sources.arguments);
      make_routes();
      warn_of_unused();
    }
    warn_of_strangers();
    if (problems_.failed()) return nullptr;
    return std::move(edition_);
  }

 private:
  using At = std::pair<std::string, std::string>;  // App and component.

  void read_app(const std::string& word, const EditionSources& sources) {
    auto file = Edition::manifest_of(word);
    if (!file) {
      problems_.error({word}, "it is no app",
                      "name a folder that has a weft.toml, or a file that ends with .toml");
      return;
    }
    auto manifest = Manifest::read(*file, problems_);
    if (!manifest) return;
    edition_->apps_.push_back(
        settle(*manifest, edition_->environment_, sources.variables, problems_));
    for (ComponentSettings& component : edition_->apps_.back().components) {
      // They were checked with the command line.
      NetRules& network = component.plan.grants.network;
      for (const std::string& rule : sources.allow_http) {
        CHECK(network.add_http(rule, RuleSource::kFlag));
      }
      for (const std::string& rule : sources.allow_net) {
        CHECK(network.add_net(rule, RuleSource::kFlag));
      }
    }
    names_.push_back(manifest->name);
  }

  void load_tls() {
    const HttpSettings& http = edition_->environment_.http;
    if (!http.tls) return;
    auto tls = TlsContext::load({http.tls->certificate.text, http.tls->key.text});
    if (tls) {
      edition_->tls_ = *std::move(tls);
    } else {
      problems_.error(http.tls_place, tls.error().message(), "");
    }
  }

  void check_names() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (names_[i].text.empty() || names_[i].text != names_[j].text) continue;
        problems_.error(names_[i].place,
                        fmt::format("there are two apps of the name \"{}\", the other at {}",
                                    names_[i].text, names_[j].place.text()),
                        "give one of them another name");
      }
    }
  }

  void load_alone(Plan::Component component) {
    const Environment& environment = edition_->environment_;
    for (const DriverSettings& driver : environment.drivers) {
      Use& use = component.uses[driver.capability];
      use.any_name = true;
      use.drivers.emplace(driver.name.text, driver.choice);
    }
    allow(environment.allow_http, &NetRules::add_http, component.grants.network);
    allow(environment.allow_net, &NetRules::add_net, component.grants.network);
    if (problems_.failed()) opening_ = Plan::Opening::kLookOnly;
    std::vector<Lack> lacks;
    auto plan = Plan::make(runtime_, capabilities_, component, opening_, lacks);
    for (const Lack& lack : lacks) problems_.error({component.file}, lack.found, lack.write);
    if (plan != nullptr) edition_->plans_.push_back(std::move(plan));
  }

  void allow(const std::vector<Placed>& rules,
             Result<void> (NetRules::*add)(std::string_view, RuleSource), NetRules& network) {
    for (const Placed& rule : rules) {
      auto added = (network.*add)(rule.text, RuleSource::kEnvironment);
      if (!added) problems_.error(rule.place, added.error().message(), "");
    }
  }

  // Only to look at an app no process is started.
  void start_providers(const AppSettings& app, const Edition* before) {
    if (opening_ == Plan::Opening::kLookOnly) return;
    static const std::vector<RunningProvider> kNone;
    for (const AppSettings::Provider& provider : app.providers) {
      auto running =
          run_provider(provider.settings, before != nullptr ? before->providers_ : kNone);
      if (running) {
        edition_->providers_.push_back(*std::move(running));
      } else {
        problems_.error(provider.place, running.error().message(), "");
      }
    }
  }

  std::shared_ptr<ProviderProcess> process_of(const AppSettings& app, std::string_view name) const {
    for (const RunningProvider& each : edition_->providers_) {
      if (each.app == app.name && each.name == name) return each.process;
    }
    return nullptr;
  }

  // Each after those that it is linked to.
  void load(const AppSettings& app, const std::vector<std::string>& arguments) {
    for (const ComponentSettings* component : link_order(app.components, problems_)) {
      if (component->has_file) load(app, *component, arguments);
    }
  }

  void load(const AppSettings& app, const ComponentSettings& component,
            const std::vector<std::string>& arguments) {
    std::vector<Lack> lacks;
    Plan::Component wanted = component.plan;
    std::vector<std::string>& args = wanted.grants.args;
    args.insert(args.end(), arguments.begin(), arguments.end());
    for (const LinkSettings& link : component.links) {
      if (link.to == LinkSettings::To::kProvider) {
        wanted.links.push_back({link, nullptr, process_of(app, link.name.text)});
        continue;
      }
      reached_.emplace(At(app.name, link.name.text), true);
      auto callee = loaded_.find({app.name, link.name.text});
      bool there = callee != loaded_.end();
      wanted.links.push_back({link, there ? edition_->plans_[callee->second].get() : nullptr});
    }
    auto plan = Plan::make(runtime_, capabilities_, std::move(wanted), opening_, lacks);
    for (const Lack& lack : lacks) {
      const Place& place =
          lack.kind == Lack::Kind::kUses ? component.place : component.source_place;
      problems_.error(lack.place.value_or(place),
                      fmt::format("component {}: {}", component.plan.name, lack.found), lack.write);
    }
    if (plan == nullptr) return;
    loaded_[{app.name, component.plan.name}] = edition_->plans_.size();
    edition_->plans_.push_back(std::move(plan));
  }

  void check_arguments(const std::vector<std::string>& arguments) {
    if (arguments.empty() || problems_.failed() || is_command()) return;
    problems_.error({arguments.front()}, "it is no app, and an app that serves takes no arguments",
                    "name a folder that has a weft.toml, or leave it out");
  }

  void make_routes() {
    std::vector<Route> routes;
    std::vector<const HttpTrigger*> triggers;
    for (const AppSettings& app : edition_->apps_) {
      for (const HttpTrigger& trigger : app.triggers) {
        routes.push_back({trigger.host, trigger.route.text, trigger.methods});
        triggers.push_back(&trigger);
        edition_->targets_.push_back(target_of(app, trigger));
      }
    }
    for (const RouteProblem& wrong : RouteTable::problems(routes)) {
      std::string other = wrong.other ? fmt::format(" (the other is at {})",
                                                    triggers[*wrong.other]->route.place.text())
                                      : "";
      problems_.error(triggers[wrong.index]->route.place, wrong.message + other, "");
    }
    if (problems_.failed() || is_command()) return;
    if (routes.empty() && !edition_->apps_.empty()) {
      problems_.error({edition_->apps_.front().file}, "there is nothing to serve",
                      "write [[trigger.http]] and in it route = \"/...\" and component = \"NAME\"");
      return;
    }
    auto table = RouteTable::make(routes);
    if (table) {
      edition_->routes_ = std::make_shared<const RouteTable>(*std::move(table));
    } else {
      problems_.error({edition_->apps_.front().file}, table.error().message(), "");
    }
  }

  Edition::Target target_of(const AppSettings& app, const HttpTrigger& trigger) {
    if (trigger.files) {
      // That it is a folder was checked with the rest of both files.
      auto folder = StaticFolder::open(trigger.files->text);
      if (!folder) {
        if (!problems_.failed()) {
          problems_.error(trigger.files->place, folder.error().message(), "");
        }
        return {};
      }
      return {0, *std::move(folder), trigger.route.text, trigger.files->text, app.name};
    }
    if (!trigger.component) return {};
    reached_.emplace(At(app.name, trigger.component->text), true);
    auto loaded = loaded_.find({app.name, trigger.component->text});
    if (loaded == loaded_.end()) return {};
    if (!edition_->plans_[loaded->second]->serves_http()) {
      problems_.error(
          trigger.component->place,
          fmt::format("component {} exports no wasi:http handler", trigger.component->text),
          "name one that does, or build it for wasi:http");
    }
    return {loaded->second, nullptr, trigger.route.text, trigger.component->text, app.name};
  }

  bool is_command() const { return edition_->command() != nullptr; }

  void warn_of_unused() {
    if (is_command()) return;
    for (const AppSettings& app : edition_->apps_) {
      for (const ComponentSettings& component : app.components) {
        if (reached_.contains({app.name, component.plan.name})) continue;
        problems_.warn(component.place,
                       fmt::format("no trigger reaches component {}", component.plan.name),
                       fmt::format("write [[trigger.http]] and in it component = \"{}\"",
                                   component.plan.name));
      }
    }
    for (const DriverSettings& driver : edition_->environment_.drivers) {
      bool used = std::ranges::any_of(edition_->apps_, [&](const AppSettings& app) {
        return std::ranges::any_of(app.components, [&](const ComponentSettings& component) {
          auto use = component.plan.uses.find(driver.capability);
          return use != component.plan.uses.end() && use->second.allows(driver.name.text);
        });
      });
      if (used) continue;
      problems_.warn(
          driver.name.place,
          fmt::format("no component uses {} \"{}\"", driver.capability, driver.name.text),
          "take it out, or write the name into a uses line");
    }
  }

  // What the operator set for an app that does not run now is fine, unless its name is a slip.
  void warn_of_strangers() {
    std::vector<std::string_view> apps;
    for (const Placed& name : names_) apps.push_back(name.text);
    auto look = [&](std::string_view table, const Placed& app, const Placed& component) {
      auto meant = nearest(app.text, apps);
      if (meant && *meant != app.text) {
        problems_.warn(app.place,
                       fmt::format("[{}.{}.{}]: no app of the name \"{}\" runs here", table,
                                   app.text, component.text, app.text),
                       fmt::format("did you mean {}?", *meant));
      }
    };
    for (const auto& each : edition_->environment_.limits) look("limits", each.app, each.component);
    for (const auto& each : edition_->environment_.config) look("config", each.app, each.component);
  }

  Runtime& runtime_;
  const CapabilityTable& capabilities_;
  Plan::Opening opening_;
  Problems& problems_;
  std::shared_ptr<Edition> edition_;  // Shared once it is made: by the loops' decks.
  std::vector<Placed> names_;
  std::map<At, std::size_t> loaded_;
  std::map<At, bool> reached_;
};

std::shared_ptr<const Edition> Edition::make(Runtime& runtime, const CapabilityTable& capabilities,
                                             const EditionSources& sources, Plan::Opening opening,
                                             Problems& problems, const Edition* before) {
  return EditionMaker(runtime, capabilities, opening, problems).make(sources, before);
}

std::shared_ptr<const Edition> Edition::of(std::unique_ptr<Plan> plan) {
  std::shared_ptr<Edition> edition(new Edition());
  edition->plans_.push_back(std::move(plan));
  return edition;
}

bool Edition::serves() const {
  return routes_ != nullptr || (plans_.size() == 1 && plans_[0]->serves_http());
}

const Plan* Edition::command() const {
  bool triggers =
      std::ranges::any_of(apps_, [](const AppSettings& app) { return !app.triggers.empty(); });
  if (triggers) return nullptr;
  // What it is linked to may stand beside it.
  const Plan* found = nullptr;
  for (const auto& plan : plans_) {
    if (plan->is_command() && std::exchange(found, plan.get()) != nullptr) return nullptr;
    if (plan->serves_http()) return nullptr;
  }
  return found;
}

std::optional<std::string> Edition::manifest_of(const std::string& word) {
  std::error_code problem;
  if (word.ends_with(".toml")) return word;
  if (std::filesystem::is_directory(word, problem)) {
    return (std::filesystem::path(word) / "weft.toml").string();
  }
  return std::nullopt;
}

}  // namespace weft
