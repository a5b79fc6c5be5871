#include "app/edition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <span>

#include "app/fitting_triggers.h"
#include "app/interface_name.h"
#include "app/link_order.h"
#include "app/node_linker.h"

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

  std::shared_ptr<const Edition> make(const EditionSources& sources, EditionSettings settings,
                                      const Edition* before) {
    edition_->settings_ = std::move(settings);
    tap_ = sources.tap;
    load_tls();
    if (sources.alone) {
      load_alone(*sources.alone);
    } else {
      // What is behind the capabilities is opened only when all is well so far.
      if (problems_.failed()) opening_ = Plan::Opening::kLookOnly;
      nodes_.emplace(NodeLinker::Parts{.runtime = runtime_,
                                       .capabilities = capabilities_,
                                       .problems = problems_,
                                       .links = sources.nodes,
                                       .nodes = edition_->environment().nodes,
                                       .opening = opening_,
                                       .tap = tap_,
                                       .plans = edition_->plans_});
      start_providers(before);
      for (const AppSettings& app : edition_->apps()) load(app, sources.arguments);
      check_arguments(sources.arguments);
      make_events();
      make_routes();
      warn_of_unused();
    }
    if (problems_.failed()) return nullptr;
    return std::move(edition_);
  }

 private:
  using At = std::pair<std::string, std::string>;  // App and component.

  void load_tls() {
    const HttpSettings& http = edition_->environment().http;
    if (!http.tls) return;
    auto tls = TlsContext::load({http.tls->certificate.text, http.tls->key.text});
    if (tls) {
      edition_->tls_ = *std::move(tls);
    } else {
      problems_.error(http.tls_place, tls.error().message(), "");
    }
  }

  void load_alone(Plan::Component component) {
    const Environment& environment = edition_->environment();
    for (const DriverSettings& driver : environment.drivers) {
      if (driver.capability == "config") continue;  // Of components of apps.
      Use& use = component.uses[driver.capability];
      use.any_name = true;
      use.drivers.emplace(driver.name.text, driver.choice);
    }
    allow(environment.allow_http, &NetRules::add_http, component.grants.network);
    allow(environment.allow_net, &NetRules::add_net, component.grants.network);
    if (problems_.failed()) opening_ = Plan::Opening::kLookOnly;
    std::vector<Lack> lacks;
    component.tap = tap_;
    auto plan = Plan::make(runtime_, capabilities_, component, opening_, lacks);
    for (const Lack& lack : lacks) problems_.error({component.file}, lack.found, lack.write);
    if (lacks.empty()) edition_->plans_.push_back(std::move(plan));
  }

  void allow(const std::vector<Placed>& rules,
             Result<void> (NetRules::*add)(std::string_view, RuleSource), NetRules& network) {
    for (const Placed& rule : rules) {
      auto added = (network.*add)(rule.text, RuleSource::kEnvironment);
      if (!added) problems_.error(rule.place, added.error().message(), "");
    }
  }

  // Only to look at an app no process is started, nor where a recording answers; one that nothing
  // is linked to is never.
  void start_providers(const Edition* before) {
    std::vector<Place> places;
    std::vector<ProviderSettings> wanted;
    for (const AppSettings& app : edition_->apps()) {
      for (const AppSettings::Provider& provider : app.providers) {
        if (is_linked(app, LinkSettings::To::kProvider, provider.settings.name)) {
          places.push_back(provider.place);
          wanted.push_back(provider.settings);
        } else {
          problems_.warn(
              provider.place,
              fmt::format("no component is linked to provider {}: it is not started",
                          provider.settings.name),
              fmt::format("write links.\"PKG:NAME/INTERFACE\" = \"provider:{}\", or take it out",
                          provider.settings.name));
        }
      }
    }
    if (opening_ == Plan::Opening::kLookOnly || tap_.replay != nullptr) return;
    std::span<const RunningProvider> running_before;
    if (before != nullptr) running_before = before->providers_;
    auto started = run_providers(std::move(wanted), running_before);
    for (std::size_t i = 0; i < started.size(); ++i) {
      if (started[i]) {
        edition_->providers_.push_back(*std::move(started[i]));
      } else {
        problems_.error(places[i], started[i].error().message(), "");
      }
    }
  }

  static bool is_linked(const AppSettings& app, LinkSettings::To to, std::string_view name) {
    return std::ranges::any_of(app.components, [&](const ComponentSettings& component) {
      return std::ranges::any_of(component.links, [&](const LinkSettings& link) {
        return link.to == to && link.name.text == name;
      });
    });
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
      for (const LinkSettings& link : component->links) {
        if (link.to == LinkSettings::To::kComponent) {
          reached_.emplace(At(app.name, link.name.text), true);
        }
      }
      if (component->has_file) load(app, *component, arguments);
    }
  }

  void load(const AppSettings& app, const ComponentSettings& component,
            const std::vector<std::string>& arguments) {
    std::vector<Lack> lacks;
    Plan::Component wanted = component.plan;
    wanted.tap = tap_;
    std::vector<std::string>& args = wanted.grants.args;
    args.insert(args.end(), arguments.begin(), arguments.end());
    for (const LinkSettings& link : component.links) {
      if (link.to == LinkSettings::To::kProvider) {
        wanted.links.push_back({link, nullptr, process_of(app, link.name.text)});
        continue;
      }
      if (link.to == LinkSettings::To::kNode) {
        wanted.links.push_back(nodes_->link(app.name, link));
        continue;
      }
      auto callee = loaded_.find({app.name, link.name.text});
      bool there = callee != loaded_.end();
      wanted.links.push_back({link, there ? edition_->plans_[callee->second].get() : nullptr});
    }
    auto plan = Plan::make(runtime_, capabilities_, std::move(wanted), opening_, lacks);
    for (const Lack& lack : lacks) {
      if (lack.kind == Lack::Kind::kArguments) {
        strays_ = true;
        continue;
      }
      const Place& place =
          lack.kind == Lack::Kind::kUses ? component.place : component.source_place;
      problems_.error(lack.place.value_or(place),
                      fmt::format("component {}: {}", component.plan.name, lack.found), lack.write);
    }
    if (plan == nullptr) return;
    // One that lacks something is looked at for what else is wrong: nothing is made of it.
    if (lacks.empty()) warn_of_idle_links(component, *plan);
    loaded_[{app.name, component.plan.name}] = edition_->plans_.size();
    edition_->plans_.push_back(std::move(plan));
  }

  void warn_of_idle_links(const ComponentSettings& component, const Plan& plan) {
    for (const LinkSettings& link : component.links) {
      if (plan.uses_link(link)) continue;
      InterfaceName written = InterfaceName::of(link.interface.text);
      bool imported = std::ranges::any_of(plan.info().functions, [&](const ImportedFunction& each) {
        return means(written, InterfaceName::of(each.interface)) ||
               means(written, InterfaceName::of(each.implements));
      });
      if (imported) {
        problems_.warn(link.interface.place,
                       fmt::format("another link of component {} serves what is meant by {}",
                                   component.plan.name, link.interface.text),
                       "take one of them out");
        continue;
      }
      problems_.warn(
          link.interface.place,
          fmt::format("component {} imports no {}", component.plan.name, link.interface.text),
          "take the link out, or write the name that it imports: weft inspect shows it");
    }
  }

  void check_arguments(const std::vector<std::string>& arguments) {
    if (arguments.empty() || (!strays_ && (problems_.failed() || is_command()))) return;
    problems_.error({arguments.front()}, "it is no app, and an app that serves takes no arguments",
                    "name a folder that has a weft.toml, or leave it out");
  }

  void make_routes() {
    std::vector<Route> routes;
    std::vector<const HttpTrigger*> triggers;
    for (const AppSettings& app : edition_->apps()) {
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
    if (routes.empty() && !edition_->events_.empty()) return;
    if (routes.empty() && !edition_->apps().empty()) {
      problems_.error({edition_->apps().front().file}, "there is nothing to serve", how_to_serve());
      return;
    }
    auto table = RouteTable::make(routes);
    if (table) {
      edition_->routes_ = std::make_shared<const RouteTable>(*std::move(table));
    } else {
      problems_.error({edition_->apps().front().file}, table.error().message(), "");
    }
  }

  void make_events() {
    for (const AppSettings& app : edition_->apps()) {
      for (const EventTrigger& trigger : app.events) {
        reached_.emplace(At(app.name, trigger.component.text), true);
        std::size_t told = problems_.errors();
        const Capability& capability = *capabilities_.find(trigger.capability);
        const Use& use = use_of(app, trigger);
        if (trigger.whole) {
          for (const TriggerProblem& each : capability.check_trigger(use, trigger.settings)) {
            tell(trigger, each);
          }
          check_others(capability, app.events, trigger);
        }
        auto loaded = loaded_.find({app.name, trigger.component.text});
        if (loaded == loaded_.end()) continue;
        auto event = event_of(trigger, use, loaded->second);
        if (event && problems_.errors() == told) edition_->events_.push_back(*event);
      }
    }
  }

  void tell(const EventTrigger& trigger, const TriggerProblem& problem,
            std::string_view more = "") {
    std::string found = fmt::format("[[trigger.{}]]: {}{}", trigger.name, problem.found, more);
    if (problem.weight == TriggerProblem::Weight::kWarning) {
      problems_.warn(trigger.place_of(problem.key), std::move(found), problem.write);
    } else {
      problems_.error(trigger.place_of(problem.key), std::move(found), problem.write);
    }
  }

  // What the component that it wakes is granted.
  static const Use& use_of(const AppSettings& app, const EventTrigger& trigger) {
    static const Use kNothing;
    for (const ComponentSettings& component : app.components) {
      if (component.plan.name != trigger.component.text) continue;
      auto use = component.plan.uses.find(trigger.capability);
      return use == component.plan.uses.end() ? kNothing : use->second;
    }
    return kNothing;
  }

  // Beside those of the app that come before it.
  void check_others(const Capability& capability, const std::vector<EventTrigger>& events,
                    const EventTrigger& trigger) {
    for (const EventTrigger& other : events) {
      if (&other == &trigger) return;
      if (other.capability != trigger.capability || !other.whole) continue;
      auto wake = other.component.text == trigger.component.text ? TriggerPair::Wake::kOneComponent
                                                                 : TriggerPair::Wake::kTwo;
      auto problem = capability.check_beside({trigger.settings, other.settings, wake});
      if (!problem) continue;
      return tell(trigger, *problem, fmt::format(" (the other is at {})", other.place.text()));
    }
  }

  // What it is with a component that was loaded; nothing where it cannot be.
  std::optional<Edition::Event> event_of(const EventTrigger& trigger, const Use& use,
                                         std::size_t number) {
    const Plan& plan = *edition_->plans_[number];
    const auto& capabilities = capabilities_.all();
    auto found = std::ranges::find(capabilities, trigger.capability,
                                   [](const auto& each) { return each->name(); });
    CHECK(found != capabilities.end());
    Edition::Event event{.component = number,
                         .capability = found->get(),
                         .use = &use,
                         .trigger = trigger.name,
                         .settings = trigger.settings,
                         .calls = trigger.calls};
    auto wrong = [&](const Place& place, std::string what, std::string write) {
      problems_.error(place, std::move(what), std::move(write));
      return std::nullopt;
    };
    if (plan.service() != nullptr) {
      return wrong(trigger.component.place,
                   fmt::format("component {} is shared, and what wakes a component has an instance "
                               "of its own each time",
                               trigger.component.text),
                   "let another component be woken, and link it to this one");
    }
    if (!find_handler(plan, *event.capability, event)) {
      std::vector<std::string_view> names;
      for (const Offer& offer : event.capability->handlers()) names.push_back(offer.interface);
      return wrong(
          trigger.component.place,
          fmt::format(
              "component {} exports none of what [[trigger.{}]] calls, or with other types: {}",
              trigger.component.text, trigger.name, fmt::join(names, ", ")),
          how_to_wake_instead(plan));
    }
    if (opening_ == Plan::Opening::kOpen && !problems_.failed()) {
      if (auto ready = event.capability->prepare(*event.use); !ready) {
        return wrong(trigger.place, ready.error().message(), "");
      }
    }
    return event;
  }

  // Of a component that is woken by what it does not export.
  std::string how_to_wake_instead(const Plan& plan) const {
    std::vector<std::string> fitting = fitting_triggers(plan, capabilities_);
    if (fitting.empty()) return "name one that does: weft inspect shows what a component exports";
    return fmt::format("name one that does, or write {}", fmt::join(fitting, ", or "));
  }

  // Of one that nothing reaches, as far as it is known.
  std::string how_to_reach(const AppSettings& app, std::string_view name) const {
    auto loaded = loaded_.find({app.name, std::string(name)});
    if (loaded == loaded_.end()) {
      return fmt::format("write [[trigger.http]] and in it component = \"{}\"", name);
    }
    std::vector<std::string> fitting =
        fitting_triggers(*edition_->plans_[loaded->second], capabilities_);
    if (!fitting.empty()) return fmt::format("write {}", fmt::join(fitting, ", or "));
    return fmt::format("link another to it: links.\"PKG:NAME/INTERFACE\" = \"component:{}\"", name);
  }

  // The first trigger that one of the apps could have.
  std::string how_to_serve() const {
    for (const AppSettings& app : edition_->apps()) {
      for (const ComponentSettings& component : app.components) {
        auto loaded = loaded_.find({app.name, component.plan.name});
        if (loaded == loaded_.end() ||
            fitting_triggers(*edition_->plans_[loaded->second], capabilities_).empty())
          continue;
        return how_to_reach(app, component.plan.name);
      }
    }
    return "write a trigger, [[trigger.http]] for example, of a component that exports what it "
           "calls";
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
    if (edition_->plans_[loaded->second]->service() != nullptr) {
      problems_.error(
          trigger.component->place,
          fmt::format("component {} is shared, and requests have instances of their own, which "
                      "would not see what the shared one keeps",
                      trigger.component->text),
          "let another component answer them, and link it to this one");
    } else if (!edition_->plans_[loaded->second]->serves_http()) {
      problems_.error(
          trigger.component->place,
          fmt::format("component {} exports no wasi:http handler", trigger.component->text),
          fitting_triggers(*edition_->plans_[loaded->second], capabilities_).empty()
              ? "name one that does, or build it for wasi:http"
              : how_to_wake_instead(*edition_->plans_[loaded->second]));
    }
    return {loaded->second, nullptr, trigger.route.text, trigger.component->text, app.name};
  }

  bool is_command() const { return edition_->command() != nullptr; }

  void warn_of_unused() {
    if (is_command()) return;
    for (const AppSettings& app : edition_->apps()) {
      for (const ComponentSettings& component : app.components) {
        if (reached_.contains({app.name, component.plan.name})) continue;
        problems_.warn(component.place,
                       fmt::format("no trigger reaches component {}", component.plan.name),
                       how_to_reach(app, component.plan.name));
      }
    }
    for (const DriverSettings& driver : edition_->environment().drivers) {
      // The operator's file and processes use secrets too; values are of one component, which was
      // looked for.
      if (driver.capability == "secrets" || driver.capability == "config") continue;
      bool used = std::ranges::any_of(edition_->apps(), [&](const AppSettings& app) {
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
    warn_of_unused_nodes();
  }

  void warn_of_unused_nodes() {
    for (const NodeTable& node : edition_->environment().nodes) {
      bool linked = std::ranges::any_of(edition_->apps(), [&](const AppSettings& app) {
        return is_linked(app, LinkSettings::To::kNode, node.name.text);
      });
      if (linked) continue;
      problems_.warn(node.name.place,
                     fmt::format("no component is linked to [node.{}]", node.name.text),
                     fmt::format("write links.\"PKG:NAME/INTERFACE\" = \"node:{}\", or take it out",
                                 node.name.text));
    }
  }

  Runtime& runtime_;
  const CapabilityTable& capabilities_;
  Plan::Opening opening_;
  Problems& problems_;
  LinkTap tap_;
  std::optional<NodeLinker> nodes_;
  std::shared_ptr<Edition> edition_;  // Shared once it is made: by the loops' decks.
  // Whether words that name no app were given to a component that takes no arguments.
  bool strays_ = false;
  std::map<At, std::size_t> loaded_;
  std::map<At, bool> reached_;
};

std::shared_ptr<const Edition> Edition::make(Runtime& runtime, const CapabilityTable& capabilities,
                                             const EditionSources& sources,
                                             EditionSettings settings, Plan::Opening opening,
                                             Problems& problems, const Edition* before) {
  return EditionMaker(runtime, capabilities, opening, problems)
      .make(sources, std::move(settings), before);
}

std::shared_ptr<const Edition> Edition::of(std::unique_ptr<Plan> plan) {
  std::shared_ptr<Edition> edition(new Edition());
  edition->plans_.push_back(std::move(plan));
  return edition;
}

TriggerWords Edition::words(const Event& event) const {
  return event.capability->words(plans_[event.component]->component().name, event.settings);
}

bool Edition::serves() const {
  return routes_ != nullptr || !events_.empty() || (plans_.size() == 1 && plans_[0]->serves_http());
}

const Plan* Edition::command() const {
  bool triggers = std::ranges::any_of(
      apps(), [](const AppSettings& app) { return !app.triggers.empty() || !app.events.empty(); });
  if (triggers) return nullptr;
  // What it is linked to may stand beside it.
  const Plan* found = nullptr;
  for (const auto& plan : plans_) {
    if (plan->is_command() && std::exchange(found, plan.get()) != nullptr) return nullptr;
    if (plan->serves_http()) return nullptr;
  }
  return found;
}

}  // namespace weft
