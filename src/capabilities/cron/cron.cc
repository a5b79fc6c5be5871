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

std::string text_of(std::chrono::milliseconds time) {
  std::int64_t ms = time.count();
  if (ms % 60'000 == 0) return fmt::format("{}m", ms / 60'000);
  return ms % 1'000 == 0 ? fmt::format("{}s", ms / 1'000) : fmt::format("{}ms", ms);
}

void read_jitter(const std::string& text, TriggerOptions& options, TriggerProblems& problems) {
  std::uint64_t ns = 0;
  take_or_note(problems, "jitter", parse_duration_ns(text), ns);
  options.jitter = std::chrono::milliseconds(ns / 1'000'000);
  if (options.jitter > kJitterMax) {
    problems.push_back({"jitter", fmt::format("a jitter of {}: {}h at most", text,
                                              kJitterMax / std::chrono::hours(1))});
    return;
  }
  std::chrono::milliseconds apart = options.schedule.least_apart();
  if (options.jitter <= apart) return;
  problems.push_back({"jitter",
                      fmt::format("a jitter of {} is longer than the {} from one run to the next",
                                  text_of(options.jitter), text_of(apart)),
                      fmt::format("write \"{}\" at most", text_of(apart))});
}

// What a trigger's keys say, with all that is wrong with them.
TriggerOptions read_keys(const TriggerSettings& settings, TriggerProblems& problems) {
  TriggerOptions options{.text = text_of(settings, "schedule"), .now = calendar};
  std::size_t told = problems.size();
  if (options.text.size() > kScheduleBytesMax) {
    problems.push_back(
        {"schedule", fmt::format("a schedule has {} bytes at most", kScheduleBytesMax)});
  } else {
    take_or_note(problems, "schedule", Schedule::parse(options.text), options.schedule);
  }
  bool scheduled = problems.size() == told;
  if (const std::string* name = settings.find("time-zone")) {
    take_or_note(problems, "time-zone", Zone::find(*name), options.zone);
    if (scheduled && options.schedule.is_interval()) {
      problems.push_back({"time-zone",
                          fmt::format("\"{}\" is counted in UTC, whatever clocks show: a time zone "
                                      "means nothing beside it",
                                      options.text),
                          "leave time-zone out, or write five fields"});
    }
  }
  if (const std::string* time = settings.find("jitter"); time != nullptr && scheduled) {
    read_jitter(*time, options, problems);
  }
  take_or_note(problems, "missed", read_missed(text_of(settings, "missed")), options.missed);
  std::string overlap = text_of(settings, "overlap");
  options.overlap = overlap == "run";
  if (!overlap.empty() && overlap != "run" && overlap != "wait") {
    problems.push_back({"overlap", "overlap is \"wait\" or \"run\""});
  }
  if (scheduled && !options.schedule.next(options.zone, calendar())) {
    problems.push_back({"schedule", fmt::format("\"{}\" never comes", options.text)});
  }
  return options;
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
  TriggerProblems problems;
  TriggerOptions options = read_keys(settings, problems);
  if (problems.empty()) return options;
  const TriggerProblem& first = problems.front();
  return failure(Errc::kInvalid, first.write.empty()
                                     ? first.found
                                     : fmt::format("{}: {}", first.found, first.write));
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

TriggerProblems CronCapability::check_trigger(const Use& use,
                                              const TriggerSettings& settings) const {
  TriggerProblems problems;
  std::string store = text_of(settings, "store");
  if (!store.empty() && !use.allows(store)) {
    problems.push_back(not_granted(use, name(), "store", store));
  }
  read_keys(settings, problems);
  return problems;
}

// A schedule is known by its component and its text: what is kept of one would be taken for what is
// kept of the other.
std::optional<TriggerProblem> CronCapability::check_beside(const TriggerPair& pair) const {
  if (pair.wake != TriggerPair::Wake::kOneComponent) return std::nullopt;
  std::string schedule = text_of(pair.one, "schedule");
  bool same = schedule == text_of(pair.before, "schedule") &&
              text_of(pair.one, "store") == text_of(pair.before, "store");
  if (!same) return std::nullopt;
  return TriggerProblem{"schedule",
                        fmt::format("another trigger calls this component at \"{}\": what is kept "
                                    "of the one would be taken for the other's",
                                    schedule),
                        "take one of them out, or name another component"};
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
