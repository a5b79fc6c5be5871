#include "capabilities/sensor/trigger.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "capabilities/sensor/host.h"
#include "door/values.h"
#include "io/loop.h"
#include "wit/weft/sensor_0_1_0/crossings.h"

namespace weft::sensor {
namespace {

namespace wit = ::weft::wit::weft::sensor_0_1_0;

// The places of the handler's functions.
constexpr std::size_t kOnCrossing = 1;
constexpr std::size_t kOnMeasurements = 0;

wit::crossings::Crossing crossing_of(const Crossing& crossing) {
  using WitSide = wit::crossings::Side;
  return {measurement_of(crossing.measurement), crossing.limit,
          crossing.side == Side::kAbove ? WitSide::kAbove : WitSide::kBelow, crossing.beyond};
}

}  // namespace

SensorTrigger::SensorTrigger(const Waking& waking, TriggerOptions options,
                             std::shared_ptr<Source> source)
    : self_(std::make_shared<SensorTrigger*>(this)),
      loop_(waking.loop),
      app_(waking.app),
      component_(waking.component),
      calls_(waking.calls),
      runs_(waking.meter),
      options_(std::move(options)),
      source_(std::move(source)),
      threshold_(options_.limits),
      later_(loop_, [this] { go_on(); }) {
  if (Result<void> watched = watch(); !watched) {
    tell("sensors are not watched", watched.error().message());
  }
  look_for();
}

SensorTrigger::~SensorTrigger() {
  *self_ = nullptr;
}

Result<void> SensorTrigger::watch() {
  begun_ = Deadline::Clock::now();
  auto self = self_;
  if (!options_.crossings()) {
    TRY(feed_, Feed::open(loop_, *source_, options_.pattern, options_.policy, [self] {
          if (*self != nullptr) (*self)->go_on();
        }));
    return {};
  }
  TRY(watching_, source_->watch(std::string(within_space(options_.pattern)),
                                [self](const Measurement& measurement) {
                                  if (*self != nullptr) (*self)->came(measurement);
                                }));
  return {};
}

// A name that is written wrong is told of; a sensor that comes later is watched all the same.
void SensorTrigger::look_for() {
  auto listed =
      source_->list({loop_, Deadline::after(kListMax)})
          .settle([self = self_](Result<std::vector<SensorInfo>> sensors) {
            if (*self == nullptr) return Nothing();
            const SensorTrigger& trigger = **self;
            std::string_view wanted = within_space(trigger.options_.pattern);
            if (!sensors) {
              trigger.tell("it is not known which sensors there are", sensors.error().message());
            } else if (std::ranges::none_of(*sensors, [&](const SensorInfo& each) {
                         return matches(wanted, each.name);
                       })) {
              trigger.tell("no sensor is there now that it waits for", "none of that name");
            }
            return Nothing();
          });
}

void SensorTrigger::stop() {
  stopped_ = true;
  watching_ = nullptr;
  later_.disarm();
}

void SensorTrigger::came(const Measurement& measurement) {
  if (stopped_) return;
  for (Crossing& each : threshold_.look(measurement)) {
    each.measurement.sensor =
        fmt::format("{}/{}", space_of(options_.pattern), each.measurement.sensor);
    if (crossings_.size() >= kCrossingsMax) {
      tell("a crossing is not told of: the component is too slow",
           crossings_.front().measurement.sensor);
      crossings_.pop_front();
    }
    crossings_.push_back(std::move(each));
  }
  go_on();
}

// Begins the next call where there is something to call for.
void SensorTrigger::go_on() {
  if (stopped_ || under_way_) return;
  if (event_ != nullptr) {
    if (!later_.armed()) call();
    return;
  }
  if (options_.crossings()) {
    if (crossings_.empty()) return;
    event_ = std::make_unique<const Event>(std::move(crossings_.front()));
    crossings_.pop_front();
    return call();
  }
  if (feed_ == nullptr || !feed_->any()) return;
  auto due = begun_ + options_.every;
  auto now = Deadline::Clock::now();
  if (feed_->waiting() < options_.most && now < due) {
    return later_.arm(Deadline::at(due));
  }
  later_.disarm();
  begun_ = now;
  event_ = std::make_unique<const Event>(feed_->take(options_.most));
  call();
}

void SensorTrigger::call() {
  under_way_ = true;
  runs_.begin();
  bool crossing = std::holds_alternative<Crossing>(*event_);
  // What the handler returned, until the call has ended.
  auto returned = std::make_shared<std::expected<void, std::string>>();
  calls_.call(
      crossing ? kOnCrossing : kOnMeasurements,
      [event = *event_](Writer& out) {
        if (const auto* what = std::get_if<Crossing>(&event)) return out.write(crossing_of(*what));
        std::vector<types::Measurement> batch;
        for (const Measurement& each : std::get<0>(event)) batch.push_back(measurement_of(each));
        out.write(batch);
      },
      [returned](Reader& in) { *returned = in.read<std::expected<void, std::string>>(); },
      [self = self_, returned](Result<void> outcome) {
        if (*self == nullptr) return;
        if (outcome && !*returned) outcome = failure(Errc::kInternal, returned->error());
        (*self)->ended(std::move(outcome));
      });
}

void SensorTrigger::ended(Result<void> outcome) {
  under_way_ = false;
  runs_.end(outcome);
  if (outcome || stopped_) {
    if (!outcome) runs_.give_up();
    if (!outcome) tell("a call failed, and the trigger ends", outcome.error().message());
    failed_ = 0;
    event_ = nullptr;
    return go_on();
  }
  bool no_room = outcome.error().code() == Errc::kUnavailable;
  if (!no_room) ++failed_;
  if (failed_ < kAttempts) {
    return later_.arm(Deadline::after(no_room ? kNoRoom : kRetry * (1 << (failed_ - 1))));
  }
  runs_.give_up();
  tell("what came of sensors is told no more: the handler failed each time",
       outcome.error().message());
  failed_ = 0;
  event_ = nullptr;
  go_on();
}

void SensorTrigger::tell(std::string_view what, std::string_view why) const {
  log::warn("sensor", std::string(what),
            {{"app", app_},
             {"component", component_},
             {"sensor", options_.pattern},
             {"why", std::string(why)}});
}

}  // namespace weft::sensor
