#include "node/daemon/run_desk.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "io/after_sends.h"
#include "io/blocking.h"
#include "node/daemon/quota_meter.h"

namespace weft::node::daemon {
namespace {

// What a request leaves open, within what is left of its quota; at least 1, which a spent quota
// refuses in its own words.
std::uint64_t settle(std::uint64_t asked, std::uint64_t usual, std::uint64_t left) {
  if (asked != 0) return asked;
  return std::max<std::uint64_t>(1, std::min(usual, left));
}

Amounts came_in(std::uint64_t bytes) {
  Amounts came;
  came[QuotaKind::kNetworkIn] = bytes;
  return came;
}

Amounts used_of(const Usage& usage) {
  Amounts used;
  used[QuotaKind::kCpu] = usage.cpu_ns;
  used[QuotaKind::kCompile] = usage.compile_ns;
  used[QuotaKind::kNetworkIn] = usage.bytes_in;
  used[QuotaKind::kNetworkOut] = usage.bytes_out;
  return used;
}

}  // namespace

Result<void> may_use(const NodeParts& parts, const Hash& module, const std::string& group) {
  auto info = parts.modules.info(module);
  auto missing =
      failure(Errc::kNotFound, fmt::format("module {} is not here: store it first", module.text()));
  if (!info) return missing;
  for (const library::ModuleOwner& owner : info->owners) {
    // What the node's own catalogue names is for everybody who has the right.
    if (owner.group == group || owner.group == library::kOwnGroup) return {};
  }
  return missing;
}

events::Refusal refusal_of(Errc code) {
  switch (code) {
    case Errc::kNotFound: return events::Refusal::kNotFound;
    case Errc::kLimit: return events::Refusal::kQuota;
    case Errc::kFull: return events::Refusal::kFull;
    case Errc::kDenied: return events::Refusal::kForbidden;
    case Errc::kCorrupt: return events::Refusal::kMismatch;
    case Errc::kUnavailable: return events::Refusal::kDraining;
    case Errc::kIo:
    case Errc::kInternal: return events::Refusal::kFailed;
    default: return events::Refusal::kUnsupported;
  }
}

void tell_refused(NodeParts& parts, const wire::Asked& asked, events::Refusal why,
                  std::uint64_t bytes_in) {
  events::Event event{.time = unix_now(),
                      .action = asked.request.action,
                      .requester = asked.signer,
                      .group = event_group(asked.group),
                      .request = asked.name,
                      .module = asked.request.module,
                      .function = asked.request.function,
                      .refusal = why};
  event.usage.bytes_in = bytes_in;
  if (auto told = parts.events.append(std::move(event)); !told) {
    log::error("node", "an event is lost", {{"why", told.error().message()}});
  }
}

RunDesk::RunDesk(NodeParts& parts, EngineLoop& engine, runs::ModulePlans& plans)
    : parts_(parts), loop_(engine.loop()), plans_(plans), runs_(engine, plans, parts.key) {}

RunDesk::~RunDesk() {
  CHECK(open_.empty());
}

runs::RunLimits RunDesk::limits_of(const wire::Asked& asked, const Plan* service) const {
  using namespace std::chrono;
  const RequestLimits& wanted = asked.request.limits;
  Amounts left = parts_.ledger.left(asked.group, unix_now());
  runs::RunLimits limits;
  // A run computes on one loop, so no longer than it lives.
  constexpr auto kCpuMost = static_cast<std::uint64_t>(nanoseconds(kRunTimeMax).count());
  limits.cpu =
      nanoseconds(settle(std::min(wanted.cpu_ns, kCpuMost),
                         static_cast<std::uint64_t>(limits.cpu.count()), left[QuotaKind::kCpu]));
  limits.memory_bytes = settle(wanted.memory_bytes, limits.memory_bytes, left[QuotaKind::kMemory]);
  limits.output_bytes = settle(std::min(wanted.output_bytes, kRunOutputMax), limits.output_bytes,
                               left[QuotaKind::kNetworkOut]);
  limits.link_bytes = 0;
  if (service != nullptr && !service->component().links.empty()) {
    limits.link_bytes =
        settle(0, std::max(limits.output_bytes, kLinkBytesLeast), left[QuotaKind::kNetworkIn]);
  }
  constexpr auto kMost = static_cast<std::uint64_t>(milliseconds(kRunTimeMax).count());
  if (wanted.time_ms != 0) limits.time = milliseconds(std::min(wanted.time_ms, kMost));
  return limits;
}

Result<Charge> RunDesk::charge_in(const wire::Asked& asked, std::uint64_t bytes_in) {
  auto taken = parts_.ledger.take(asked.group, came_in(bytes_in), unix_now());
  if (taken) return std::move(*taken);
  tell_refused(parts_, asked, events::Refusal::kQuota, 0);
  return failure(Errc::kLimit, taken.error().message());
}

Result<void> RunDesk::charge_run(Charge& charge, const wire::Asked& asked,
                                 const runs::RunLimits& limits, bool compiled) {
  Amounts most;
  most[QuotaKind::kCpu] = static_cast<std::uint64_t>(limits.cpu.count());
  most[QuotaKind::kMemory] = limits.memory_bytes;
  most[QuotaKind::kNetworkIn] = limits.link_bytes;
  most[QuotaKind::kNetworkOut] = limits.output_bytes;
  most[QuotaKind::kRuns] = 1;
  if (!compiled) {
    // It cannot be stopped at a smaller bound: what it takes beyond is counted at the end.
    std::uint64_t left = parts_.ledger.left(asked.group, unix_now())[QuotaKind::kCompile];
    auto usual = static_cast<std::uint64_t>(std::chrono::nanoseconds(runs::kCompileMax).count());
    most[QuotaKind::kCompile] = settle(0, usual, left);
  }
  auto taken = charge.more(most, unix_now());
  if (taken) return {};
  tell_refused(parts_, asked, events::Refusal::kQuota, charge.taken()[QuotaKind::kNetworkIn]);
  return failure(Errc::kLimit, taken.error().message());
}

Task<RunDesk::InUse> RunDesk::module(Hash name, std::string group) {
  CO_TRY_VOID(may_use(parts_, name, group));
  auto held = std::ranges::find(held_, name, &Held::name);
  if (held != held_.end()) {
    held->used = loop_.now();
    held_.splice(held_.begin(), held_, held);
    co_return held_.front().module;
  }
  CO_TRY(InUse found, co_await blocking(parts_.pool, loop_, [&parts = parts_, name] {
           auto use = [&]() -> Result<InUse> {
             TRY(auto in_use, parts.modules.use(name));
             return std::make_shared<const library::ModuleInUse>(std::move(in_use));
           };
           return use();
         }));
  keep(name, found);
  co_return found;
}

void RunDesk::keep(const Hash& name, InUse module) {
  held_.push_front({name, std::move(module), loop_.now()});
  if (held_.size() > kModulesHeldMax) held_.pop_back();
}

void RunDesk::let_go() {
  while (!held_.empty() && loop_.now() - held_.back().used > kModuleHeldFor) held_.pop_back();
}

Task<void> RunDesk::begin(wire::Asked asked, wire::Follows follows) {
  std::uint64_t bytes_in = asked.bytes.size() + follows.bytes.size();
  CO_TRY(auto room, parts_.events.reserve());
  // First what came, whatever becomes of it: a charge that is dropped counts as spent.
  CO_TRY(Charge taken, charge_in(asked, bytes_in));
  ServicePlans::PlanPtr service;
  if (asked.request.module == Hash()) {
    auto served = parts_.catalogue.serving(asked.request.function);
    if (!served || asked.request.action != Action::kCall) {
      tell_refused(parts_, asked, events::Refusal::kNotFound, bytes_in);
      co_return failure(Errc::kNotFound, "this node serves no such function: name a module");
    }
    // From here on it is a call of the module that serves it: its charge, event and receipt too.
    asked.request.module = *served;
    service = parts_.services.find(*served);
  }
  const Request& request = asked.request;
  auto in_use = co_await module(request.module, asked.group);
  if (!in_use) {
    tell_refused(parts_, asked, refusal_of(in_use.error().code()), bytes_in);
    co_return std::unexpected(std::move(in_use).error());
  }
  runs::RunLimits limits = limits_of(asked, service.get());
  bool compiled = service != nullptr || plans_.find(request.module) != nullptr;
  auto pass = parts_.runs.enter();
  if (!pass) {
    tell_refused(parts_, asked, events::Refusal::kDraining, bytes_in);
    co_return failure(Errc::kUnavailable, "the node stops: ask another one");
  }
  bool observes = parts_.policy.get()->settings.of_group(asked.group).may.has(Right::kObserve);
  CO_TRY_VOID(charge_run(taken, asked, limits, compiled));

  runs::RunOrder order{.name = asked.name,
                       .module = request.module,
                       .file = (*in_use)->path().string(),
                       .service = std::move(service),
                       .function = request.function,
                       .arguments = std::move(follows.bytes),
                       .limits = limits,
                       .requester = asked.signer,
                       .reply = request.reply,
                       .group = asked.group,
                       .bytes_in = bytes_in,
                       .facts = observes ? &parts_.facts : nullptr};
  // The order is kept with the run's output, and the guest has the arguments before. Shared by the
  // copies of a function.
  auto held = std::make_shared<wire::FollowsRoom::Part>(std::move(follows.room));
  order.began = [held](const Result<void>&) { held->give_back(); };
  order.ended = [this, name = asked.name](const runs::RunEnd& end) { ended(name, end); };
  // It is there before anything of it can end.
  auto [entry, fresh] = open_.emplace(
      asked.name, Open{*std::move(pass), std::move(taken), std::move(room), *std::move(in_use),
                       Receipt{.request = asked.name,
                               .requester = asked.signer,
                               .group = event_group(asked.group),
                               .action = request.action,
                               .module = request.module,
                               .function = request.function}});
  CHECK(fresh);  // Admission takes a name once.
  if (auto begun = runs_.begin(std::move(order)); !begun) {
    entry->second.charge.settle(came_in(bytes_in));
    open_.erase(entry);
    tell_refused(parts_, asked, events::Refusal::kQuota, bytes_in);
    co_return std::unexpected(std::move(begun).error());
  }
  parts_.places.add(asked.name,
                    {.desk = this, .loop = &loop_, .group = asked.group, .reply = request.reply});
  co_return Result<void>();
}

// The charge goes back.
void RunDesk::ended(const Hash& run, const runs::RunEnd& end) {
  auto found = open_.find(run);
  CHECK(found != open_.end());
  // It stays there, and inside the gate, until its receipt closes it.
  Open& open = found->second;
  open.charge.settle(used_of(end.usage));
  open.module.reset();
  Receipt receipt = std::move(open.receipt);
  receipt.outcome = end.outcome;
  receipt.exit_code = end.exit_code;
  receipt.message = end.message;
  receipt.usage = end.usage;
  receipt.began = end.began;
  receipt.ended = end.ended;
  receipt.frames = end.frames;
  receipt.chain = end.chain;
  // What the run put out leaves first: the log's thread, once it is woken, takes a processor.
  after_sends(loop_,
              [this, receipt = std::move(receipt)]() mutable { write_event(std::move(receipt)); });
}

// The event goes to the disk, and behind it the receipt to whoever reads.
void RunDesk::write_event(Receipt receipt) {
  Open& open = open_.find(receipt.request)->second;
  events::Event event = events::event_of(receipt);
  event.time = unix_now();
  // The number is known before the disk has it; the receipt waits for both.
  auto number = std::make_shared<std::uint64_t>(0);
  auto durable = [this, number, receipt, &loop = loop_](const Result<void>& done) mutable {
    bool whole = done.has_value();
    loop.post([this, number, whole, receipt = std::move(receipt)]() mutable {
      receipt.event = whole ? *number : 0;
      close(receipt.request, receipt);
    });
  };
  auto appended = parts_.events.append(std::move(event), std::move(open.room), std::move(durable));
  if (appended) {
    *number = *appended;
    return;
  }
  // The log has ended, which has been told. The run is receipted without a number.
  loop_.post([this, receipt = std::move(receipt)] { close(receipt.request, receipt); });
}

void RunDesk::close(const Hash& run, const Receipt& receipt) {
  parts_.places.ended(run);
  open_.erase(run);
  if (auto closed = runs_.close(run, sign(receipt, parts_.key)); !closed) {
    log::warn("node", closed.error().message(), {{"run", run.text()}});
  }
}

}  // namespace weft::node::daemon
