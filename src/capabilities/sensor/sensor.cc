#include "capabilities/sensor/sensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/nearest.h"
#include "capabilities/offer_table.h"
#include "capabilities/sensor/drivers/host/host.h"
#include "capabilities/sensor/drivers/iio/iio.h"
#include "capabilities/sensor/drivers/mqtt/mqtt.h"
#include "capabilities/sensor/drivers/simulated/simulated.h"
#include "capabilities/sensor/host.h"
#include "wit/weft/sensor_0_1_0/async_handler.h"
#include "wit/weft/sensor_0_1_0/async_sensors.h"
#include "wit/weft/sensor_0_1_0/handler.h"
#include "wit/weft/sensor_0_1_0/sensors.h"
#include "wit/weft/sensor_io_0_1_0/readiness.h"

namespace weft::sensor {
namespace {

namespace wit = ::weft::wit::weft::sensor_0_1_0;
namespace readiness = ::weft::wit::weft::sensor_io_0_1_0::readiness;

using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Spaces>);

constexpr OfferTable<Make, 3> kTable({
    {{wit::sensors::kName, wit::sensors::kFunctions}, sensors_provider},
    {{wit::async_sensors::kName, wit::async_sensors::kFunctions}, async_sensors_provider},
    {{readiness::kName, readiness::kFunctions}, readiness_provider},
});
constexpr std::array<Offer, 2> kHandlers{{
    {wit::handler::kName, wit::handler::kFunctions},
    {wit::async_handler::kName, wit::async_handler::kFunctions},
}};

constexpr std::string_view kSimulated = "simulated";
constexpr std::string_view kHost = "host";
constexpr std::string_view kIio = "iio";
constexpr std::string_view kMqtt = "mqtt";

Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice) {
  if (choice.driver == kSimulated) {
    TRY(simulated::Settings settings, simulated::read_settings(choice));
    return simulated::simulated_backend(std::move(settings));
  }
  if (choice.driver == kHost) {
    TRY(host::Settings settings, host::read_settings(choice));
    return host::host_backend(std::move(settings));
  }
  if (choice.driver == kIio) {
    TRY(iio::Settings settings, iio::read_settings(choice));
    return iio::iio_backend(std::move(settings));
  }
  if (choice.driver == kMqtt) {
    TRY(mqtt::Settings settings, mqtt::read_settings(choice));
    return mqtt::mqtt_backend(std::move(settings));
  }
  return failure(Errc::kUnsupported,
                 fmt::format("there is no driver \"{}\" for sensor", choice.driver));
}

class UsedSpaces final : public Spaces {
 public:
  UsedSpaces(const SensorCapability& capability, Site site)
      : capability_(capability), loop_(site.loop), use_(site.use) {}

  Result<Source*> find(std::string_view space) override {
    if (!use_.allows(space)) {
      return failure(Errc::kDenied,
                     fmt::format("the sensors of \"{}\" are not granted: name the space "
                                 "in uses.sensor",
                                 space));
    }
    Backend* backend = capability_.backend_of(use_, space);
    CHECK(backend != nullptr);
    std::shared_ptr<Source>& source = sources_[backend];
    if (source == nullptr) source = backend->source(loop_);
    return source.get();
  }

 private:
  const SensorCapability& capability_;
  Loop& loop_;
  const Use& use_;
  std::map<Backend*, std::shared_ptr<Source>> sources_;  // Shared with the loop's others.
};

std::string text_of(const TriggerSettings& settings, std::string_view key) {
  const std::string* text = settings.find(key);
  return text == nullptr ? "" : *text;
}

Result<std::optional<double>> limit_of(const TriggerSettings& settings, std::string_view key) {
  const std::string* text = settings.find(key);
  if (text == nullptr) return std::nullopt;
  double value = 0;
  auto [end, wrong] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (wrong == std::errc() && end == text->data() + text->size() && std::isfinite(value)) {
    return value;
  }
  return failure(Errc::kInvalid,
                 fmt::format("{} = \"{}\" is no number: \"21.5\", for example", key, *text));
}

// What a trigger's keys say, with all that is wrong with them.
TriggerOptions read_keys(const TriggerSettings& settings, TriggerProblems& problems) {
  TriggerOptions options{.pattern = text_of(settings, "sensor")};
  note(problems, "sensor", check_pattern(options.pattern));
  std::size_t told = problems.size();
  take_or_note(problems, "above", limit_of(settings, "above"), options.limits.above);
  take_or_note(problems, "below", limit_of(settings, "below"), options.limits.below);
  std::optional<double> hysteresis;
  take_or_note(problems, "hysteresis", limit_of(settings, "hysteresis"), hysteresis);
  options.limits.hysteresis = hysteresis.value_or(0);
  if (problems.size() == told) {
    note(problems, options.limits.hysteresis < 0 ? "hysteresis" : "below",
         check_limits(options.limits));
  }
  bool crossings = settings.find("above") != nullptr || settings.find("below") != nullptr;
  for (std::string_view key : {"every", "most", "policy"}) {
    if (!crossings || settings.find(key) == nullptr) continue;
    problems.push_back({std::string(key),
                        fmt::format("{} is for batches, which above and below are "
                                    "none of",
                                    key),
                        "leave it out"});
  }
  if (!crossings && hysteresis) {
    problems.push_back({"hysteresis", "hysteresis stands beside above or below"});
  }
  if (const std::string* policy = settings.find("policy"); policy != nullptr && !crossings) {
    take_or_note(problems, "policy", read_policy(*policy), options.policy);
  }
  if (const std::string* every = settings.find("every")) {
    std::uint64_t ns = 0;
    take_or_note(problems, "every", parse_duration_ns(*every), ns);
    options.every = std::chrono::nanoseconds(ns);
  }
  if (const std::string* most = settings.find("most")) options.most = std::stoul(*most);
  if (options.most > kBatchMax) {
    problems.push_back(
        {"most", fmt::format("most = {}: a batch has {} at most", options.most, kBatchMax)});
  }
  return options;
}

// The sensors of a space, where its driver is told which there are.
std::optional<std::vector<std::string>> told_sensors(const DriverChoice& choice) {
  std::vector<std::string> names;
  if (choice.driver == kSimulated) {
    auto settings = simulated::read_settings(choice);
    if (!settings) return std::nullopt;  // That was told of its table.
    for (const simulated::Signal& each : settings->signals) names.push_back(each.sensor.name);
    return names;
  }
  if (choice.driver == kMqtt) {
    auto settings = mqtt::read_settings(choice);
    if (!settings) return std::nullopt;
    for (const mqtt::Place& each : settings->places) names.push_back(each.sensor.name);
    return names;
  }
  return std::nullopt;
}

}  // namespace

Result<TriggerOptions> read_trigger(const TriggerSettings& settings) {
  TriggerProblems problems;
  TriggerOptions options = read_keys(settings, problems);
  if (problems.empty()) return options;
  return failure(Errc::kInvalid, problems.front().found);
}

Result<void> SensorCapability::check_name(std::string_view space) const {
  std::size_t end = std::min(space.find_first_of("/*"), space.size());
  if (end == space.size()) return sensor::check_name(fmt::format("{}/x", space));
  return failure(Errc::kInvalid,
                 fmt::format("\"{}\" is no space of sensors: write \"{}\", which is for all of "
                             "their names that begin with {}/",
                             space, space.substr(0, end), space.substr(0, end)));
}

SensorCapability::SensorCapability(std::unique_ptr<Backend> own) : own_(std::move(own)) {}

std::span<const Offer> SensorCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> SensorCapability::drivers() const {
  static const std::array<DriverInfo, 4> infos{{{kSimulated, simulated::driver_keys()},
                                                {kHost, host::driver_keys()},
                                                {kIio, iio::driver_keys()},
                                                {kMqtt, mqtt::driver_keys()}}};
  return infos;
}

Result<void> SensorCapability::check(const DriverChoice& choice) const {
  TRY_VOID(make_backend(choice));
  return {};
}

Result<void> SensorCapability::connect(std::string_view, const DriverChoice& choice) const {
  return ChosenBackends<Backend>::connect(choice, make_backend);
}

Result<void> SensorCapability::prepare(const Use& use) {
  for (const std::string& name : use.names) {
    if (use.drivers.contains(name) || !told_.insert(name).second) continue;
    log::warn("sensor", "the sensors of a space are simulated: nobody chose a driver for it",
              {{"space", name}, {"write", fmt::format("[sensor.{}]", name)}});
  }
  return chosen_.prepare(use, name(), {}, make_backend);
}

Backend* SensorCapability::backend_of(const Use& use, std::string_view space) const {
  auto choice = use.drivers.find(space);
  return choice == use.drivers.end() ? own_.get() : chosen_.find(space, choice->second);
}

std::unique_ptr<Provider> SensorCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(std::make_unique<UsedSpaces>(*this, site));
}

std::optional<TriggerForm> SensorCapability::trigger() const {
  using Kind = DriverKey::Kind;
  static constexpr std::array<DriverKey, 7> kKeys{
      {{"sensor", Kind::kText, "boiler/temperature"},
       {"above"},
       {"below"},
       {"hysteresis"},
       {"every", Kind::kDuration},
       {.name = "most", .kind = Kind::kCount, .count_max = kBatchMax},
       {"policy"}}};
  return TriggerForm{"sensor", kKeys};
}

std::span<const Offer> SensorCapability::handlers() const {
  return kHandlers;
}

TriggerProblems SensorCapability::check_trigger(const Use& use,
                                                const TriggerSettings& settings) const {
  TriggerProblems problems;
  TriggerOptions options = read_keys(settings, problems);
  if (!check_pattern(options.pattern)) return problems;
  std::string space(space_of(options.pattern));
  if (!use.allows(space)) {
    problems.push_back({"sensor",
                        fmt::format("the component is not granted the sensors of \"{}\"", space),
                        how_to_grant(use, name(), space)});
    return problems;
  }
  auto choice = use.drivers.find(space);
  bool chosen = choice != use.drivers.end();
  auto names = told_sensors(chosen ? choice->second : DriverChoice{std::string(kSimulated)});
  std::string_view wanted = within_space(options.pattern);
  auto fits = [&](const std::string& each) { return matches(wanted, each); };
  if (!names || std::ranges::any_of(*names, fits)) return problems;
  std::vector<std::string_view> known(names->begin(), names->end());
  auto meant = nearest(wanted, known);
  TriggerProblem unknown{"sensor",
                         fmt::format("no sensor of \"{}\" is called \"{}\"", space, wanted),
                         meant ? fmt::format("did you mean \"{}/{}\"?", space, *meant)
                               : fmt::format("what there is: {}", fmt::join(known, ", "))};
  // They may be there where it will run.
  if (!chosen) {
    unknown.found += ": they are simulated, since nobody chose a driver for them";
    unknown.weight = TriggerProblem::Weight::kWarning;
  }
  problems.push_back(std::move(unknown));
  return problems;
}

std::optional<TriggerProblem> SensorCapability::check_beside(const TriggerPair& pair) const {
  bool same =
      pair.wake == TriggerPair::Wake::kOneComponent && pair.one.values == pair.before.values;
  if (!same) return std::nullopt;
  return TriggerProblem{"",
                        "another trigger calls this component for the same: it would be called "
                        "twice",
                        "take one of them out"};
}

TriggerWords SensorCapability::words(std::string_view, const TriggerSettings& settings) const {
  static constexpr std::array<std::string_view, 4> kSaid{"above", "below", "hysteresis", "every"};
  TriggerWords words;
  if (const std::string* pattern = settings.find("sensor")) words.on = *pattern;
  for (std::string_view key : kSaid) {
    const std::string* value = settings.find(key);
    if (value == nullptr) continue;
    if (!words.more.empty()) words.more += ", ";
    words.more += fmt::format("{} {}", key, *value);
  }
  return words;
}

std::unique_ptr<Subscription> SensorCapability::subscribe(const Waking& waking) {
  Result<TriggerOptions> options = read_trigger(waking.settings);
  CHECK(options.has_value());
  Backend* backend = backend_of(waking.use, space_of(options->pattern));
  CHECK(backend != nullptr);
  return std::make_unique<SensorTrigger>(waking, *std::move(options), backend->source(waking.loop));
}

}  // namespace weft::sensor
