#include "app/live_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "app/linked_import.h"
#include "app/plan.h"
#include "app/prepared_call.h"
#include "app/process_call.h"
#include "base/nearest.h"
#include "capabilities/operable.h"
#include "engine/guest_run.h"
#include "io/timer.h"
#include "triggers/event/guest_calls.h"

namespace weft {
namespace {

// What a run that did not return comes to.
Error error_of(RunOutcome outcome) {
  using Ending = RunOutcome::Ending;
  switch (outcome.ending) {
    case Ending::kLimited:
      return Error(outcome.limit == LimitKind::kTime ? Errc::kTimeout : Errc::kLimit,
                   std::move(outcome.message));
    case Ending::kNoRoom: return Error(Errc::kLimit, std::move(outcome.message));
    case Ending::kFailed: return Error(Errc::kInternal, std::move(outcome.message));
    default: return Error(Errc::kTrap, std::move(outcome.message));
  }
}

Error unknown(std::string_view what, std::string_view name,
              std::span<const std::string_view> known) {
  auto meant = nearest(name, known);
  std::string hint;
  if (meant) {
    hint = fmt::format(": did you mean {}?", *meant);
  } else if (!known.empty()) {
    hint = "; what there is:";
    for (std::string_view each : known) hint += fmt::format(" {}", each);
  }
  return Error(Errc::kNotFound, fmt::format("there is no {} {}{}", what, name, hint));
}

}  // namespace

struct LiveCalls::Running {
  CallForm form;
  std::string who;  // For messages: the target, as it was written.
  std::chrono::milliseconds wanted{0};
  AdminCallEvents events = {};
  PreparedCall prepared = {};
  // Of these the one that runs.
  std::unique_ptr<GuestRun> guest = nullptr;
  std::unique_ptr<ProcessCall> process = nullptr;
  std::vector<std::unique_ptr<GuestCalls>> woken = {};  // For the operation's triggers.
  std::unique_ptr<OperatorWork> operation = nullptr;
  // Where the client waits for less long than the component may take.
  std::optional<Timer> late = {};

  // Tells for how long it may run, where that is `own` for what is called.
  std::chrono::milliseconds begun(std::chrono::milliseconds own) const {
    std::chrono::milliseconds most = wanted.count() > 0 ? std::min(wanted, own) : own;
    events.begun(most);
    return most;
  }
};

LiveCalls::LiveCalls(const Edition& edition, const Deployments& deployments, Loop& loop)
    : edition_(edition), deployments_(deployments), loop_(loop) {}

LiveCalls::~LiveCalls() {
  for (const auto& [number, running] : running_) {
    running->events.ended(
        failure(Errc::kUnavailable, fmt::format("{}: the host stopped", running->who)));
  }
}

void LiveCalls::begin(std::uint64_t number, AdminCall call, AdminCallEvents events,
                      Capability* asked) {
  auto made = std::make_unique<Running>();
  made->form = {std::move(call.function), std::move(call.arguments), call.json};
  made->who = std::move(call.target);
  made->wanted = call.time;
  made->events = std::move(events);
  Running& running = *running_.emplace(number, std::move(made)).first->second;
  auto started =
      asked == nullptr ? start(number, running) : start_operation(number, running, *asked);
  if (!started) failed(number, std::move(started).error());
}

// The target is APP, or APP/NAME: what NAME is the capability knows.
Result<void> LiveCalls::start_operation(std::uint64_t number, Running& running,
                                        Capability& capability) {
  Operable* operable = capability.operable();
  if (operable == nullptr) {
    return failure(Errc::kUnsupported,
                   fmt::format("nothing can be asked of {}", capability.name()));
  }
  std::size_t cut = running.who.find('/');
  OperatorCall call{.loop = loop_,
                    .app = running.who.substr(0, cut),
                    .name = cut == std::string::npos ? "" : running.who.substr(cut + 1),
                    .verb = running.form.function,
                    .arguments = running.form.arguments,
                    .uses = {},
                    .triggers = {}};
  std::vector<std::string_view> apps;
  for (const auto& plan : edition_.plans()) {
    const Plan::Component& component = plan->component();
    apps.push_back(component.app);
    auto use = component.uses.find(capability.name());
    if (component.app == call.app && use != component.uses.end()) call.uses.push_back(&use->second);
  }
  if (std::ranges::find(apps, std::string_view(call.app)) == apps.end()) {
    std::ranges::sort(apps);
    apps.erase(std::ranges::unique(apps).begin(), apps.end());
    return std::unexpected(unknown("app", call.app, apps));
  }
  for (const Edition::Event& event : edition_.events()) {
    const Plan::Component& component = edition_.plans()[event.component]->component();
    if (component.app != call.app || event.capability != &capability) continue;
    running.woken.push_back(
        std::make_unique<GuestCalls>(deployments_[event.component], event.functions, event.calls));
    call.triggers.push_back({.loop = loop_,
                             .app = component.app,
                             .component = component.name,
                             .use = *event.use,
                             .handler = *event.handler,
                             .settings = event.settings,
                             .calls = *running.woken.back()});
  }
  std::chrono::milliseconds wanted = running.wanted;
  bound(number, running, running.begun(wanted.count() > 0 ? wanted : kOperationTime));
  running.operation = operable->operate(
      std::move(call),
      {.told = running.events.told, .ended = [this, number](Result<std::string> outcome) {
         if (!outcome) return failed(number, std::move(outcome).error());
         end(number, std::move(outcome));
       }});
  return {};
}

// Ends it after so long, whatever has been told by then.
void LiveCalls::bound(std::uint64_t number, Running& running, std::chrono::milliseconds most) {
  running.late.emplace(loop_, [this, number, most] {
    const OperatorWork* operation = running_.at(number)->operation.get();
    std::string awaited = operation == nullptr ? "" : operation->waits_for();
    failed(number,
           Error(Errc::kTimeout,
                 awaited.empty() ? fmt::format("it did not return within {} ms", most.count())
                                 : fmt::format("it did not begin within {} ms: it waited for {}",
                                               most.count(), awaited)));
  });
  running.late->arm(Deadline::after(most));
}

Result<void> LiveCalls::start(std::uint64_t number, Running& running) {
  TRY(Target target, find(running.who));
  return target.provider == nullptr ? start_component(number, running, target.plan)
                                    : start_provider(number, running, *target.provider);
}

Result<LiveCalls::Target> LiveCalls::find(std::string_view target) const {
  std::size_t cut = target.find('/');
  if (cut == std::string_view::npos) {
    return failure(Errc::kInvalid,
                   "it names nothing that runs: write APP/COMPONENT or APP/PROVIDER");
  }
  std::string_view app = target.substr(0, cut);
  std::string_view name = target.substr(cut + 1);
  std::vector<std::string_view> apps;
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < edition_.plans().size(); ++i) {
    const Plan::Component& each = edition_.plans()[i]->component();
    if (each.app == app && each.name == name) return Target{.plan = i};
    apps.push_back(each.app);
    if (each.app == app) names.push_back(each.name);
  }
  for (const RunningProvider& each : edition_.providers()) {
    if (each.app == app && each.name == name) return Target{.provider = &each};
    apps.push_back(each.app);
    if (each.app == app) names.push_back(each.name);
  }
  std::ranges::sort(apps);
  apps.erase(std::ranges::unique(apps).begin(), apps.end());
  if (names.empty()) return std::unexpected(unknown("app", app, apps));
  return std::unexpected(unknown(fmt::format("component or provider in {}:", app), name, names));
}

Result<void> LiveCalls::start_component(std::uint64_t number, Running& running, std::size_t plan) {
  if (edition_.plans()[plan]->component().shared) {
    return failure(
        Errc::kUnsupported,
        "it is shared, and what it keeps is reached only by those that are linked to it");
  }
  TRY(CallText text, read_call(running.form));
  TRY(running.prepared, prepare_call(running.form, text, edition_.plans()[plan]->info().exports));
  Deployment& deployment = deployments_[plan];
  if (deployment.contexts >= deployment.limits.instances_max) {
    return failure(Errc::kLimit, "it has as many instances as it may have");
  }
  std::chrono::milliseconds own = deployment.limits.time;
  std::chrono::milliseconds most = running.begun(own.count() > 0 ? own : kLiveCallTime);
  if (most != own) bound(number, running, most);
  running.guest = GuestRun::call(
      deployment, static_cast<std::uint32_t>(running.prepared.number), running.prepared.arguments,
      [this, number](RunOutcome outcome, BytesView reply) {
        if (outcome.ending != RunOutcome::Ending::kDone) {
          return end(number, std::unexpected(error_of(std::move(outcome))));
        }
        returned(number, reply);
      });
  return {};
}

Result<void> LiveCalls::start_provider(std::uint64_t number, Running& running,
                                       const RunningProvider& provider) {
  TRY(CallText text, read_call(running.form));
  std::vector<ExportedFunction> functions = exports_of(provider.process->offers());
  TRY(running.prepared, prepare_call(running.form, text, functions));
  const ExportedFunction& wanted = functions[running.prepared.number];
  TRY(Function function, provider.process->function(wanted.interface, wanted.name));
  std::chrono::milliseconds most = running.begun(kLiveCallTime);
  running.process = std::make_unique<ProcessCall>(
      loop_, *provider.process, function, provider.app, [this, number](Result<Bytes> reply) {
        if (!reply) return failed(number, std::move(reply).error());
        returned(number, *reply);
      });
  running.process->start(running.prepared.arguments, most);
  return {};
}

void LiveCalls::cancel(std::uint64_t number) {
  if (running_.contains(number)) {
    end(number, failure(Errc::kCancelled, "nobody waits for it any more"));
  }
}

void LiveCalls::end_endless() {
  std::vector<std::uint64_t> endless;
  for (const auto& [number, running] : running_) {
    bool is = running->operation != nullptr && running->operation->endless();
    if (is) endless.push_back(number);
  }
  for (std::uint64_t each : endless) {
    end(each, failure(Errc::kCancelled, "the app is loaded anew, or the host stops"));
  }
}

void LiveCalls::returned(std::uint64_t number, BytesView reply) {
  auto found = running_.find(number);
  if (found == running_.end()) return;
  const Running& running = *found->second;
  end(number, result_text(running.prepared, running.form, reply));
}

void LiveCalls::failed(std::uint64_t number, Error error) {
  auto found = running_.find(number);
  if (found == running_.end()) return;
  end(number, std::unexpected(std::move(error).within(found->second->who)));
}

// One that was cancelled may still tell of its end, until what was deferred here has run.
void LiveCalls::end(std::uint64_t number, Result<std::string> outcome) {
  auto found = running_.find(number);
  if (found == running_.end()) return;
  std::unique_ptr<Running> ended = std::move(found->second);
  running_.erase(found);
  ended->events.ended(std::move(outcome));
  // What has just told of its end does not go inside that.
  loop_.defer([over = std::move(ended)] {});
}

}  // namespace weft
