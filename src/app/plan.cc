#include "app/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/interface_name.h"
#include "app/link_layers.h"
#include "app/replayed_import.h"
#include "app/wasi_versions.h"
#include "base/check.h"
#include "door/confidential.h"
#include "door/deadline_layer.h"
#include "engine/component_provider.h"
#include "engine/service_caller.h"
#include "observe/call_layer.h"
#include "record/record_layer.h"

namespace weft {
namespace {

// For providers that nothing is granted to or refused.
const Use kAnything{.any_name = true};
const Use kNothing{};

std::string describe(const std::string& file, const std::vector<Lack>& lacks) {
  std::string imports;
  std::string rest;
  for (const Lack& lack : lacks) {
    if (lack.kind == Lack::Kind::kImport) {
      imports += fmt::format("\n  {}", lack.found);
    } else {
      rest += fmt::format("{}{}: {}{}{}", rest.empty() ? "" : "\n", file, lack.found,
                          lack.write.empty() ? "" : ": ", lack.write);
    }
  }
  if (imports.empty()) return rest;
  return fmt::format("{}: these imports cannot be served:{}{}{}", file, imports,
                     rest.empty() ? "" : "\n", rest);
}

// What serves the names of a capability: which of several it is for one call, only the provider
// knows.
std::string drivers_of(const Use& use) {
  std::set<std::string> drivers;
  for (const std::string& name : use.names) {
    auto choice = use.drivers.find(name);
    drivers.insert(choice == use.drivers.end() ? "embedded" : choice->second.driver);
  }
  if (use.any_name && !use.drivers.empty()) {
    drivers.insert("embedded");
    for (const auto& [name, choice] : use.drivers) drivers.insert(choice.driver);
  }
  if (!use.values.empty() && !use.drivers.empty()) {
    for (const auto& [key, choice] : use.drivers) drivers.insert(choice.driver);
  }
  if (drivers.empty()) return "embedded";
  return fmt::format("{}", fmt::join(drivers, "+"));
}

Lack not_offered(const WantedInterface& wanted, const Error& why) {
  if (wanted.import.contains('/')) return {Lack::Kind::kImport, why.message(), ""};
  return {Lack::Kind::kImport,
          wanted.import == wanted.interface ? why.message()
                                            : fmt::format("imported as {}: {}", wanted.import,
                                                          why.message()),
          fmt::format("link it by that name: links.{} = {{ to = \"...\", interface = "
                      "\"acme:ml/inference\" }}",
                      wanted.import)};
}

}  // namespace

Result<std::unique_ptr<Plan>> Plan::make(Runtime& runtime, const CapabilityTable& capabilities,
                                         Component component) {
  std::string file = component.file;
  std::vector<Lack> lacks;
  auto plan = make(runtime, capabilities, std::move(component), Opening::kOpen, lacks);
  if (!lacks.empty()) return failure(Errc::kUnsupported, describe(file, lacks));
  return plan;
}

std::unique_ptr<Plan> Plan::make(Runtime& runtime, const CapabilityTable& capabilities,
                                 Component component, Opening opening, std::vector<Lack>& lacks) {
  auto plan = std::unique_ptr<Plan>(new Plan(std::move(component)));
  Component& self = plan->component_;
  auto program = runtime.load(self.file, self.limits.memory_bytes);
  if (!program) {
    // The engine says the file's name itself.
    std::string_view message = program.error().message();
    if (message.starts_with(self.file + ": ")) message.remove_prefix(self.file.size() + 2);
    lacks.push_back({Lack::Kind::kFile, std::string(message), ""});
    return nullptr;
  }
  plan->program_ = *std::move(program);
  plan->settle_limits();
  plan->check_arguments(lacks);
  plan->match_imports(capabilities, lacks);
  plan->add_layers(lacks);
  if (lacks.empty() && opening == Opening::kOpen) plan->prepare_capabilities(lacks);
  if (lacks.empty()) plan->link(lacks);
  if (self.shared) plan->service_ = std::make_shared<SharedService>(self.app, self.name);
  return plan;
}

bool Plan::uses_link(const LinkSettings& link) const {
  return std::ranges::any_of(linked_imports_, [&](const ServedByLink& each) {
    return each.import.settings.interface.text == link.interface.text;
  });
}

bool Plan::serves_http() const {
  return info().kind == ProgramKind::kHttp02 || info().kind == ProgramKind::kHttp03;
}

bool Plan::is_command() const {
  return info().kind == ProgramKind::kCommand02 || info().kind == ProgramKind::kCommand03;
}

// Nothing reads the arguments of what serves HTTP: they are options in the wrong place.
void Plan::check_arguments(std::vector<Lack>& lacks) const {
  const std::vector<std::string>& args = component_.grants.args;
  if (!serves_http() || args.size() < 2) return;
  std::string words = fmt::format("{}", fmt::join(args.begin() + 1, args.end(), " "));
  std::string write;
  if (words.starts_with('-')) {
    write = fmt::format("put options before the file: weft run {} {}", words, component_.file);
  }
  lacks.push_back(
      {Lack::Kind::kArguments,
       fmt::format("it serves HTTP and takes no arguments, but \"{}\" follows it", words),
       std::move(write)});
}

void Plan::settle_limits() {
  Limits& limits = component_.limits;
  // A library of an app serves those that are linked to it, and each of them only for as long.
  bool serves = serves_http() || (info().kind == ProgramKind::kLibrary &&
                                  component_.granting == Component::Granting::kAsWritten);
  limits.cpu = component_.cpu.value_or(serves ? kHttpCpu : kHttpCpu.zero());
  limits.time = component_.time.value_or(serves ? kHttpTime : kHttpTime.zero());
}

const Use* Plan::use_of(const Capability& capability) const {
  auto found = component_.uses.find(capability.name());
  if (found != component_.uses.end()) return &found->second;
  if (component_.granting == Component::Granting::kAnything) return &kAnything;
  return capability.uses() ? nullptr : &kNothing;
}

// Finds what serves each interface, and whether it was asked for.
void Plan::match_imports(const CapabilityTable& capabilities, std::vector<Lack>& lacks) {
  std::map<std::string_view, std::vector<std::uint32_t>> interfaces;
  const std::vector<ImportedFunction>& functions = info().functions;
  std::set<std::string> wasi_problems;
  for (std::uint32_t i = 0; i < functions.size(); ++i) {
    if (!functions[i].wasi) {
      interfaces[functions[i].interface].push_back(i);
    } else if (std::string problem = wasi_problem(functions[i].interface); !problem.empty()) {
      wasi_problems.insert(std::move(problem));
    }
  }
  for (const std::string& problem : wasi_problems) {
    lacks.push_back({Lack::Kind::kImport, problem, ""});
  }
  std::set<std::string_view> asked;
  for (auto& [interface, numbers] : interfaces) {
    std::string_view implements = functions[numbers.front()].implements;
    WantedInterface wanted{interface, implements.empty() ? interface : implements};
    if (const Component::LinkTo* link = link_of(wanted, lacks)) {
      match_link(*link, wanted, std::move(numbers), lacks);
      continue;
    }
    std::vector<DeclaredFunction> declared;
    for (std::uint32_t number : numbers) {
      declared.push_back({functions[number].name, functions[number].signature});
    }
    auto match = capabilities.match({wanted.interface, declared});
    if (!match && interface.empty()) {
      for (const DeclaredFunction& function : declared) {
        lacks.push_back(
            {Lack::Kind::kImport,
             fmt::format("the function {} is not offered by anything here", function.name), ""});
      }
      continue;
    }
    if (!match) {
      lacks.push_back(not_offered(wanted, match.error()));
      continue;
    }
    const Capability& capability = *match->capability;
    if (use_of(capability) == nullptr && asked.insert(capability.name()).second) {
      const UsesForm form = *capability.uses();
      lacks.push_back(
          {Lack::Kind::kUses,
           fmt::format("it imports {} and has no uses.{}", interface, capability.name()),
           fmt::format("write uses.{} = {}{}, or [] to refuse each call", capability.name(),
                       form.example,
                       form.unnamed.empty() ? "" : fmt::format(" for {}", form.unnamed))});
    }
    served_.push_back({*std::move(match), std::move(numbers)});
  }
}

// The link that is meant for an interface; null: there is none. Two that could be are told.
const Plan::Component::LinkTo* Plan::link_of(const WantedInterface& wanted,
                                             std::vector<Lack>& lacks) const {
  const auto& [import, interface] = wanted;
  auto exact = std::ranges::find(component_.links, import, [](const Component::LinkTo& link) {
    return std::string_view(link.settings.interface.text);
  });
  if (exact != component_.links.end()) return &*exact;
  const Component::LinkTo* found = nullptr;
  for (const Component::LinkTo& link : component_.links) {
    const Placed& written = link.settings.interface;
    if (!means(InterfaceName::of(written.text), InterfaceName::of(interface))) continue;
    if (found != nullptr) {
      lacks.push_back({Lack::Kind::kLink,
                       fmt::format("two links serve {}: \"{}\" and \"{}\"", interface,
                                   found->settings.interface.text, written.text),
                       "take one of them out, or write each with its version", written.place});
    }
    found = &link;
  }
  return found;
}

void Plan::match_link(const Component::LinkTo& link, WantedInterface wanted,
                      std::vector<std::uint32_t> numbers, std::vector<Lack>& lacks) {
  LinkedImport import{link.settings, link.callee, link.process};
  std::vector<const ImportedFunction*> functions;
  for (std::uint32_t number : numbers) functions.push_back(&info().functions[number]);
  if (component_.tap.replays(link.settings)) {
    import.replay = component_.tap.replay;
    auto found = match_recording(*import.replay, component_.app, component_.name, functions);
    if (!found) {
      lacks.push_back(
          {Lack::Kind::kLink, found.error().message(), "", link.settings.interface.place});
      return;
    }
    import.functions = *std::move(found);
    linked_imports_.push_back({std::move(import), std::move(numbers)});
    return;
  }
  if (link.node != nullptr && !match_node(link, wanted, functions, import, lacks)) return;
  if (link.callee == nullptr && link.process == nullptr) {
    linked_imports_.push_back({std::move(import), std::move(numbers)});
    return;
  }
  std::vector<ExportedFunction> exports =
      link.callee != nullptr ? link.callee->info().exports : exports_of(link.process->offers());
  const Placed& as = link.settings.as;
  if (!as.text.empty()) wanted.interface = named_among(as.text, exports);
  auto found = match_exports(wanted, functions, exports, link.settings.end_text());
  if (!found) {
    bool unnamed = as.text.empty() && !wanted.interface.contains('/');
    lacks.push_back({Lack::Kind::kLink, found.error().message(),
                     unnamed
                         ? fmt::format("write which of them is {}: {{ to = \"...\", interface = "
                                       "\"acme:ml/inference\" }}",
                                       wanted.import)
                         : "",
                     as.text.empty() ? link.settings.interface.place : as.place});
    return;
  }
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const ExportedFunction& exported = exports[(*found)[i]];
    if (link.process != nullptr) {
      auto function = link.process->function(exported.interface, exported.name);
      CHECK(function);  // The offer has it.
      import.functions.push_back(*std::move(function));
    } else {
      import.functions.push_back({.interface = functions[i]->interface,
                                  .name = functions[i]->name,
                                  .signature = functions[i]->signature,
                                  .ordinal = link.callee->service() != nullptr
                                                 ? (*found)[i]
                                                 : static_cast<std::uint32_t>(i),
                                  .plain = functions[i]->plain});
    }
  }
  import.exports = *std::move(found);
  linked_imports_.push_back({std::move(import), std::move(numbers)});
  check_crossing(linked_imports_.back(), lacks);
}

// Whether a node may serve it: plain values alone go there, and where it said what it has, that has
// to fit.
bool Plan::match_node(const Component::LinkTo& link, const WantedInterface& wanted,
                      std::span<const ImportedFunction* const> functions, LinkedImport& import,
                      std::vector<Lack>& lacks) const {
  const LinkSettings& settings = link.settings;
  std::string who = settings.end_text();
  auto wrong = [&](std::string found, std::string write) {
    lacks.push_back({Lack::Kind::kLink, std::move(found), std::move(write),
                     settings.as.text.empty() ? settings.interface.place : settings.as.place});
    return false;
  };
  import.node = link.node;
  import.offer = link.offer;
  import.at_node = {
      .library = settings.library.text,
      .import = std::string(wanted.import),
      .interface = settings.as.text.empty() ? std::string(wanted.interface) : settings.as.text,
      .who = who};
  for (const ImportedFunction* each : functions) {
    if (!each->plain) {
      return wrong(fmt::format("{} of {} is {}: handles and streams do not go to {}", each->name,
                               each->interface, each->signature, who),
                   "fetch a library instead, how = \"fetch\", or link a component or a provider");
    }
    import.at_node.functions.push_back(*each);
    import.functions.push_back({.interface = each->interface,
                                .name = each->name,
                                .signature = each->signature,
                                .ordinal = static_cast<std::uint32_t>(import.functions.size())});
  }
  if (link.offer == nullptr) return true;
  WantedInterface named = wanted;
  if (!settings.as.text.empty()) {
    named.interface = named_among(settings.as.text, link.offer->exports);
  }
  auto found = match_exports(named, functions, link.offer->exports, who);
  return found.has_value() || wrong(found.error().message(), "");
}

// What a shared component serves is called from every loop, and lives on one.
void Plan::check_crossing(const ServedByLink& served, std::vector<Lack>& lacks) const {
  const LinkedImport& import = served.import;
  if (import.callee == nullptr || import.callee->service() == nullptr) return;
  for (const Function& function : import.functions) {
    auto signature = parse_signature(function.signature);
    CHECK(signature);  // It was read when the types were compared.
    auto bound = bound_to_its_loop(*signature);
    if (!bound) continue;
    lacks.push_back(
        {Lack::Kind::kLink,
         fmt::format("{} is shared, and {} of {} has a {}, which does not reach the loop "
                     "that it lives on",
                     import.settings.end_text(), function.name, function.interface, *bound),
         "pass it as a list or behind a resource, or take \"shared\" out",
         import.settings.interface.place});
  }
}

// A link may serve several versions of what it names: its layers are one for all of them.
void Plan::add_layers(std::vector<Lack>& lacks) {
  for (const Component::LinkTo& link : component_.links) {
    std::vector<const ImportedFunction*> functions;
    std::shared_ptr<const LinkLayers> layers;  // Shared by the imports, on all loops.
    if (link.settings.layers.any()) layers = std::make_shared<LinkLayers>(link.settings);
    for (ServedByLink& served : linked_imports_) {
      if (served.import.settings.interface.text != link.settings.interface.text) continue;
      served.import.layers = layers;
      for (std::uint32_t number : served.functions) functions.push_back(&info().functions[number]);
    }
    for (LinkLayers::Wrong& wrong : LinkLayers::check(link.settings, functions)) {
      lacks.push_back({Lack::Kind::kLink, std::move(wrong.found), std::move(wrong.write),
                       std::move(wrong.place)});
    }
  }
}

// Opens what is behind the capabilities, now that the component can run: a refused one leaves no
// state folder behind.
void Plan::prepare_capabilities(std::vector<Lack>& lacks) {
  std::set<Capability*> prepared;
  for (const Served& served : served_) {
    Capability& capability = *served.match.capability;
    if (!prepared.insert(&capability).second) continue;
    auto ready = capability.prepare(*use_of(capability));
    if (ready) continue;
    lacks.push_back(
        {Lack::Kind::kOpen, fmt::format("{}: {}", capability.name(), ready.error().message()), ""});
  }
}

void Plan::link(std::vector<Lack>& lacks) {
  std::vector<bool> serve(info().functions.size());
  for (const Served& served : served_) {
    for (std::uint32_t function : served.functions) serve[function] = true;
  }
  for (const ServedByLink& served : linked_imports_) {
    for (std::uint32_t function : served.functions) serve[function] = true;
  }
  // What a command prints is its own; what a server's guest prints is a log.
  WasiGrants grants = component_.grants;
  grants.stdio = is_command() ? WasiGrants::Stdio::kInherit : WasiGrants::Stdio::kLog;
  auto linked = program_->link(serve, component_.name, component_.limits, grants);
  if (linked) {
    linked_ = *std::move(linked);
  } else {
    lacks.push_back({Lack::Kind::kFile, linked.error().message(), ""});
  }
}

std::unique_ptr<Deployment> Plan::deploy(EngineLoop& engine, const Deployments& others,
                                         LoopObserver* observer) const {
  auto deployment = std::make_unique<Deployment>(engine, *linked_, info().functions.size());
  deployment->app = component_.app;
  deployment->component = component_.name;
  deployment->limits = component_.limits;
  if (observer != nullptr) {
    deployment->observer = observer;
    deployment->meter = &observer->metrics().component(component_.app, component_.name);
  }
  for (const Served& served : served_) {
    const Capability& capability = *served.match.capability;
    Site site{engine.loop(), *use_of(capability),
              info().functions[served.functions.front()].interface};
    Provider& provider = deployment->links.keep(served.match.provider(site));
    std::vector<Layer*> layers;
    if (observer != nullptr) {
      CallMeter& meter = observer->metrics().calls(component_.app, component_.name,
                                                   capability.name(), drivers_of(site.use));
      // Configuration may have come from secrets.
      bool secret = capability.confidential() ||
                    (capability.uses() && capability.uses()->shape == UsesForm::Shape::kValues);
      SpiedAs spied{component_.tap.spy,
                    fmt::format("{} ({})", capability.name(), drivers_of(site.use)), secret};
      layers.push_back(
          &deployment->links.keep(std::make_unique<CallLayer>(meter, *observer, std::move(spied))));
    }
    for (std::size_t i = 0; i < served.functions.size(); ++i) {
      deployment->links.set(served.functions[i],
                            std::make_unique<Link>(served.match.functions[i], provider, layers));
    }
  }
  deploy_links(*deployment, others, observer);
  return deployment;
}

Provider& Plan::provider_of(const LinkedImport& import, Deployment& deployment,
                            const Deployments& others) const {
  if (import.replay != nullptr) {
    return deployment.links.keep(
        replay_provider(*import.replay, component_.app, component_.name, import.functions));
  }
  if (import.node != nullptr) {
    return deployment.links.keep(
        import.node->provider_for(deployment.engine.loop(), import.at_node, import.offer));
  }
  if (import.process != nullptr) {
    return deployment.links.keep(
        import.process->provider_for(deployment.engine.loop(), import.functions.front().interface));
  }
  if (const auto& service = import.callee->service()) {
    if (SharedInstance* here = others.shared(*import.callee)) return *here;
    return deployment.links.keep(
        std::make_unique<ServiceCaller>(service, deployment.engine.loop(), import.functions));
  }
  std::vector<ComponentProvider::Export> exports;
  for (std::uint32_t number : import.exports) {
    auto found = ComponentProvider::find(import.callee->info(), number);
    CHECK(found);  // Its signature was read when the types were compared.
    exports.push_back(*std::move(found));
  }
  return deployment.links.keep(
      std::make_unique<ComponentProvider>(others.of(*import.callee), std::move(exports)));
}

void Plan::deploy_links(Deployment& deployment, const Deployments& others,
                        LoopObserver* observer) const {
  for (const ServedByLink& served : linked_imports_) {
    const LinkedImport& import = served.import;
    Provider& provider = provider_of(import, deployment, others);
    Layer* own = nullptr;
    if (component_.link_meter) own = &deployment.links.keep(component_.link_meter());
    std::optional<LinkLayers::OnLoop> around;
    // What was recorded is what came of the layers.
    if (import.layers != nullptr && import.replay == nullptr) {
      around.emplace(*import.layers, deployment.links, deployment.engine.loop());
    }
    for (std::size_t i = 0; i < served.functions.size(); ++i) {
      const Function& function = import.functions[i];
      std::vector<Layer*> layers;
      if (component_.tap.recorder != nullptr) {
        const ImportedFunction& imported = info().functions[served.functions[i]];
        layers.push_back(&deployment.links.keep(std::make_unique<RecordLayer>(
            *component_.tap.recorder, imported.interface, imported.name, imported.signature,
            import.settings.end_text())));
      }
      LinkNotes* notes = nullptr;
      if (observer != nullptr) {
        CallMeter& meter = observer->metrics().calls(component_.app, component_.name,
                                                     InterfaceName::of(function.interface).path,
                                                     import.settings.end_text());
        CallLayer& counts = deployment.links.keep(
            std::make_unique<CallLayer>(meter, *observer,
                                        SpiedAs{component_.tap.spy, import.settings.end_text(),
                                                is_confidential(function.interface)}));
        notes = &counts;
        layers.push_back(&counts);
      }
      if (auto deadline = import.settings.deadline_of(function.name)) {
        layers.push_back(&deployment.links.keep(std::make_unique<DeadlineLayer>(*deadline)));
      }
      Provider& serving = around ? around->add(function, provider, notes, layers) : provider;
      if (own != nullptr) layers.push_back(own);
      deployment.links.set(served.functions[i], std::make_unique<Link>(function, serving, layers));
    }
  }
}

}  // namespace weft
