#include "capabilities/cron/cron.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "capabilities/cron/run_now.h"
#include "capabilities/keyvalue/drivers/etcd/etcd.h"
#include "capabilities/keyvalue/drivers/nats/nats.h"
#include "capabilities/keyvalue/drivers/redis/redis.h"
#include "capabilities/lock/drivers/etcd/etcd.h"
#include "capabilities/lock/drivers/nats/nats.h"
#include "capabilities/lock/drivers/redis/redis.h"
#include "io/loop.h"
#include "wit/weft/cron_0_1_0/async_handler.h"
#include "wit/weft/cron_0_1_0/handler.h"

namespace weft::cron {
namespace {

namespace wit = ::weft::wit::weft::cron_0_1_0;

constexpr std::array<Offer, 2> kHandlers{{
    {wit::handler::kName, wit::handler::kFunctions},
    {wit::async_handler::kName, wit::async_handler::kFunctions},
}};

constexpr std::string_view kEmbedded = "embedded";
constexpr std::string_view kEtcd = "etcd";
constexpr std::string_view kRedis = "redis";
constexpr std::string_view kNats = "nats";
constexpr std::size_t kScheduleBytesMax = 100;

Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice) {
  if (choice.driver == kEtcd) {
    TRY(lock::etcd::Settings locks, lock::etcd::read_settings(choice));
    TRY(keyvalue::etcd::Settings records, keyvalue::etcd::read_settings(choice));
    return std::make_unique<Backend>(lock::etcd::etcd_backend(std::move(locks)),
                                     keyvalue::etcd::etcd_backend(std::move(records)));
  }
  if (choice.driver == kRedis) {
    TRY(keyvalue::redis::Settings settings, keyvalue::redis::read_settings(choice));
    return std::make_unique<Backend>(lock::redis::redis_backend(settings),
                                     keyvalue::redis::redis_backend(settings));
  }
  if (choice.driver == kNats) {
    TRY(keyvalue::nats::Settings settings, keyvalue::nats::read_settings(choice));
    return std::make_unique<Backend>(lock::nats::nats_backend(settings),
                                     keyvalue::nats::nats_backend(settings));
  }
  return failure(Errc::kUnsupported,
                 fmt::format("there is no driver \"{}\" for cron", choice.driver));
}

std::string text_of(const TriggerSettings& settings, std::string_view key) {
  const std::string* text = settings.find(key);
  return text == nullptr ? "" : *text;
}

// The trigger that a wish is about.
Result<const Waking*> wanted_of(const OperatorCall& call) {
  if (call.verb != "run") {
    return failure(Errc::kInvalid, fmt::format("cron knows no \"{}\": run", call.verb));
  }
  boost::system::error_code problem;
  boost::json::value value =
      boost::json::parse(call.arguments.empty() ? "{}" : call.arguments, problem);
  if (problem || !value.is_object()) {
    return failure(Errc::kInvalid, "the arguments are no JSON object");
  }
  const boost::json::value* schedule = value.get_object().if_contains("schedule");
  std::vector<const Waking*> found;
  std::string known;
  for (const Waking& each : call.triggers) {
    std::string text = text_of(each.settings, "schedule");
    known += fmt::format("\n  {} \"{}\"", each.component, text);
    bool named = schedule == nullptr ||
                 (schedule->is_string() && std::string_view(schedule->get_string()) == text);
    if (each.component == call.name && named) found.push_back(&each);
  }
  if (found.size() == 1) return found.front();
  if (known.empty()) {
    return failure(Errc::kNotFound, fmt::format("{} has no schedules", call.app));
  }
  if (found.empty()) {
    return failure(Errc::kNotFound, fmt::format("{} has no such schedule of {}; what there is:{}",
                                                call.app, call.name, known));
  }
  return failure(Errc::kInvalid,
                 fmt::format("{} of {} has several schedules: name the one with --schedule:{}",
                             call.name, call.app, known));
}

sys_seconds calendar() {
  return std::chrono::floor<seconds>(std::chrono::system_clock::now());
}

}  // namespace

Result<void> Backend::open() {
  TRY_VOID(records_.open());
  return locks_->open();
}

Keeping Backend::keeping(Loop& loop, std::string_view app) {
  return {std::make_shared<lock::Locks>(loop, locks_->store(loop), locks_->turns()),
          records_.store(loop), std::string(app)};
}

Result<TriggerOptions> read_trigger(const TriggerSettings& settings) {
  TriggerOptions options{.text = text_of(settings, "schedule"), .now = calendar};
  if (options.text.size() > kScheduleBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("a schedule has {} bytes at most", kScheduleBytesMax));
  }
  TRY(options.schedule, Schedule::parse(options.text));
  if (const std::string* name = settings.find("time-zone")) {
    TRY(options.zone, Zone::find(*name));
  }
  if (const std::string* time = settings.find("jitter")) {
    TRY(std::uint64_t ns, parse_duration_ns(*time));
    options.jitter = std::chrono::milliseconds(ns / 1'000'000);
    if (options.jitter > kJitterMax) {
      return failure(Errc::kInvalid, fmt::format("a jitter of {}: {}h at most", *time,
                                                 kJitterMax / std::chrono::hours(1)));
    }
  }
  TRY(options.missed, read_missed(text_of(settings, "missed")));
  std::string overlap = text_of(settings, "overlap");
  options.overlap = overlap == "run";
  if (!overlap.empty() && overlap != "run" && overlap != "wait") {
    return failure(Errc::kInvalid, "overlap is \"wait\" or \"run\"");
  }
  if (!options.schedule.next(options.zone, calendar())) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" never comes", options.text));
  }
  return options;
}

std::span<const DriverInfo> CronCapability::drivers() const {
  static const std::array<DriverInfo, 4> infos{{{kEmbedded, {}},
                                                {kEtcd, keyvalue::etcd::driver_keys()},
                                                {kRedis, keyvalue::redis::driver_keys()},
                                                {kNats, keyvalue::nats::driver_keys()}}};
  return infos;
}

Result<void> CronCapability::check(const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  TRY_VOID(make_backend(choice));
  return {};
}

Result<void> CronCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  return ChosenBackends<Backend>::connect(choice, make_backend);
}

Result<void> CronCapability::prepare(const Use& use) {
  TRY_VOID(embedded_->open());
  return chosen_.prepare(use, name(), kEmbedded, make_backend);
}

// It has no offers.
std::unique_ptr<Provider> CronCapability::provider(const Offer&, Site) {
  CHECK(!"nobody imports weft:cron");
  __builtin_unreachable();
}

std::optional<TriggerForm> CronCapability::trigger() const {
  using Kind = DriverKey::Kind;
  static constexpr std::array<DriverKey, 6> kKeys{
      {{"schedule", Kind::kText, "0 3 * * *"},
       {"time-zone"},
       {.name = "jitter", .kind = Kind::kDuration, .time_max = kJitterMax},
       {"missed"},
       {"overlap"},
       {"store"}}};
  return TriggerForm{"cron", kKeys};
}

std::span<const Offer> CronCapability::handlers() const {
  return kHandlers;
}

Result<void> CronCapability::check_trigger(const Use& use, const TriggerSettings& settings) const {
  std::string store = text_of(settings, "store");
  if (!store.empty() && !use.allows(store)) {
    return failure(Errc::kDenied,
                   fmt::format("the component is not granted the store \"{0}\": write it into its "
                               "uses.cron, or leave it out",
                               store));
  }
  TRY_VOID(read_trigger(settings));
  return {};
}

TriggerWords CronCapability::words(std::string_view, const TriggerSettings& settings) const {
  TriggerWords words{.on = text_of(settings, "schedule")};
  Result<TriggerOptions> options = read_trigger(settings);
  if (!options) return words;
  auto next = options->schedule.next(options->zone, calendar());
  if (next) words.more = fmt::format("next {}", shown_time(options->zone, *next));
  return words;
}

std::unique_ptr<Subscription> CronCapability::subscribe(const Waking& waking) {
  Result<TriggerOptions> options = read_trigger(waking.settings);
  if (!options) {
    // The zone's file went after it was checked.
    log::error("cron", "a schedule is not kept",
               {{"app", std::string(waking.app)}, {"why", options.error().message()}});
    return nullptr;
  }
  return std::make_unique<CronTrigger>(waking, *std::move(options),
                                       backend_of(waking).keeping(waking.loop, waking.app));
}

Backend& CronCapability::backend_of(const Waking& waking) const {
  std::string store = text_of(waking.settings, "store");
  auto choice = waking.use.drivers.find(store);
  bool own = choice == waking.use.drivers.end() || choice->second.driver == kEmbedded;
  Backend* backend = own ? embedded_.get() : chosen_.find(store, choice->second);
  CHECK(backend != nullptr);
  return *backend;
}

std::unique_ptr<OperatorWork> CronCapability::operate(OperatorCall call, OperatorEvents events) {
  Result<const Waking*> meant = wanted_of(call);
  Result<TriggerOptions> options =
      meant ? read_trigger((*meant)->settings) : std::unexpected(std::move(meant).error());
  if (!options) {
    call.loop.post([ended = std::move(events.ended), error = std::move(options).error()] {
      ended(std::unexpected(error));
    });
    return std::make_unique<OperatorWork>();
  }
  return run_now(**meant, *std::move(options),
                 backend_of(**meant).keeping(call.loop, (*meant)->app), std::move(events));
}

}  // namespace weft::cron
