#include "app/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace weft {

namespace {

bool serves_http(ProgramKind kind) {
  return kind == ProgramKind::kHttp02 || kind == ProgramKind::kHttp03;
}

// The version of a generation of WASI's own interfaces that the engine has; it serves all of that
// generation's.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kWasi{
    {{"0.2.", "0.2.12"}, {"0.3.", "0.3.0"}}};

// What is wrong with the version of an interface of WASI's own; empty: nothing.
std::string wasi_problem(std::string_view interface) {
  std::size_t at = std::min(interface.find('@'), interface.size());
  std::string_view version = interface.substr(std::min(at + 1, interface.size()));
  bool known = std::ranges::any_of(kWasi, [&](const auto& each) {
    return version.starts_with(each.first) && !version.contains('-');
  });
  if (known) return {};
  std::string_view package = interface.substr(0, interface.find('/'));
  return fmt::format("{} is not offered; what is: {}@{}, {}@{}", interface, package,
                     kWasi[0].second, package, kWasi[1].second);
}

}  // namespace

Result<std::unique_ptr<Plan>> Plan::make(Runtime& runtime, const CapabilityTable& capabilities,
                                         Component component) {
  auto plan = std::unique_ptr<Plan>(new Plan(std::move(component)));
  const Component& self = plan->component_;
  TRY(plan->program_, runtime.load(self.file, self.limits.memory_bytes));
  TRY_VOID(plan->check_arguments());
  plan->settle_limits();
  TRY_VOID(plan->match_imports(capabilities));
  TRY_VOID(plan->prepare_capabilities());
  const ProgramInfo& info = plan->info();
  std::vector<bool> serve(info.functions.size());
  for (const Served& served : plan->served_) {
    for (std::uint32_t function : served.functions) serve[function] = true;
  }
  // What a command prints is its own; what a server's guest prints is a log.
  WasiGrants grants = self.grants;
  bool command = info.kind == ProgramKind::kCommand02 || info.kind == ProgramKind::kCommand03;
  grants.stdio = command ? WasiGrants::Stdio::kInherit : WasiGrants::Stdio::kLog;
  auto linked = plan->program_->link(serve, self.name, self.limits, grants);
  if (!linked) return std::unexpected(std::move(linked).error().within(self.file));
  plan->linked_ = *std::move(linked);
  return plan;
}

// Nothing reads the arguments of what serves HTTP: they are options in the wrong place.
Result<void> Plan::check_arguments() const {
  const std::vector<std::string>& args = component_.grants.args;
  if (!serves_http(info().kind) || args.size() < 2) return {};
  std::string words = fmt::format("{}", fmt::join(args.begin() + 1, args.end(), " "));
  std::string hint;
  if (words.starts_with('-')) {
    hint = fmt::format(": put options before the file: weft run {} {}", words, component_.file);
  }
  return failure(Errc::kInvalid, fmt::format("{}: it serves HTTP and takes no arguments, but "
                                             "\"{}\" follows it{}",
                                             component_.file, words, hint));
}

void Plan::settle_limits() {
  Limits& limits = component_.limits;
  bool http = serves_http(info().kind);
  limits.cpu = component_.cpu.value_or(http ? kHttpCpu : kHttpCpu.zero());
  limits.time = component_.time.value_or(http ? kHttpTime : kHttpTime.zero());
}

// Finds what serves each interface. All that nothing serves is told at once.
Result<void> Plan::match_imports(const CapabilityTable& capabilities) {
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
  std::string problems;
  for (const std::string& problem : wasi_problems) problems += fmt::format("\n  {}", problem);
  for (auto& [interface, numbers] : interfaces) {
    std::vector<DeclaredFunction> declared;
    for (std::uint32_t number : numbers) {
      declared.push_back({functions[number].name, functions[number].signature});
    }
    auto match = capabilities.match({interface, declared});
    if (match) {
      served_.push_back({*std::move(match), std::move(numbers)});
      continue;
    }
    problems += fmt::format("\n  {}", match.error().message());
  }
  if (problems.empty()) return {};
  return failure(Errc::kUnsupported,
                 fmt::format("{}: these imports cannot be served:{}", component_.file, problems));
}

// Opens what is behind the capabilities, now that the component can run: a refused one leaves no
// state folder behind.
Result<void> Plan::prepare_capabilities() {
  std::set<Capability*> prepared;
  for (const Served& served : served_) {
    Capability& capability = *served.match.capability;
    if (!prepared.insert(&capability).second) continue;
    if (auto ready = capability.prepare(); !ready) {
      return std::unexpected(
          std::move(ready).error().within(capability.name()).within(component_.file));
    }
  }
  return {};
}

std::unique_ptr<Deployment> Plan::deploy(EngineLoop& engine) const {
  auto deployment = std::make_unique<Deployment>(engine, *linked_, info().functions.size());
  deployment->app = component_.app;
  deployment->component = component_.name;
  deployment->limits = component_.limits;
  for (const Served& served : served_) {
    Site site{engine.loop(), component_.use};
    Provider& provider = deployment->links.keep(served.match.provider(site));
    for (std::size_t i = 0; i < served.functions.size(); ++i) {
      deployment->links.set(served.functions[i],
                            std::make_unique<Link>(served.match.functions[i], provider));
    }
  }
  return deployment;
}

}  // namespace weft
