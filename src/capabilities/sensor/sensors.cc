// weft:sensor/sensors@0.1.0 and weft:sensor-io/readiness@0.1.0, and what all interfaces have in
// common.
#include "wit/weft/sensor_0_1_0/sensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "capabilities/hosted.h"
#include "capabilities/sensor/host.h"
#include "io/loop.h"
#include "io/timer.h"
#include "wit/weft/sensor_io_0_1_0/readiness.h"

namespace weft::sensor {

types::Error failure_of(const Error& error) {
  switch (error.code()) {
    case Errc::kDenied: return types::Error::denied();
    case Errc::kInvalid: return types::Error::invalid(error.message());
    case Errc::kNotFound: return types::Error::not_found(error.message());
    case Errc::kLimit:
    case Errc::kConflict: return types::Error::busy(error.message());
    case Errc::kTimeout:
    case Errc::kUnavailable: return types::Error::unavailable(error.message());
    default: return types::Error::other(error.message());
  }
}

types::Measurement measurement_of(Measurement measurement) {
  types::Quality quality = types::Quality::kGood;
  switch (measurement.quality) {
    case Quality::kGood: break;
    case Quality::kUncertain: quality = types::Quality::kUncertain; break;
    case Quality::kBad: quality = types::Quality::kBad; break;
    case Quality::kStale: quality = types::Quality::kStale; break;
  }
  // A calendar from before 1970 is none.
  auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(measurement.time.count(), 0));
  return {std::move(measurement.sensor),
          measurement.value,
          std::move(measurement.unit),
          time,
          quality,
          measurement.missed};
}

Policy policy_of(const types::Policy& policy) {
  using Kind = Policy::Kind;
  if (const auto* all = policy.as<types::Policy::All>()) {
    return {.kind = Kind::kAll, .most = all->value};
  }
  if (const auto* sample = policy.as<types::Policy::Sample>()) {
    auto most = static_cast<std::uint64_t>(kSampleMost.count()) + 1;
    return {.kind = Kind::kSample,
            .every = std::chrono::nanoseconds(std::min<std::uint64_t>(sample->value, most))};
  }
  return {};
}

namespace {

Result<Source*> source_of(Spaces& spaces, std::string_view name) {
  return spaces.find(space_of(name));
}

}  // namespace

Answer<Or<std::vector<types::Sensor>>> list_of(Spaces& spaces, Call& call,
                                               std::string_view pattern) {
  using List = Or<std::vector<types::Sensor>>;
  Result<void> well = check_pattern(pattern);
  if (!well) return List(std::unexpected(failure_of(well.error())));
  Result<Source*> source = source_of(spaces, pattern);
  if (!source) return List(std::unexpected(failure_of(source.error())));
  auto with_names = [space = std::string(space_of(pattern)),
                     wanted = std::string(within_space(pattern))](
                        Result<std::vector<SensorInfo>> sensors) -> List {
    if (!sensors) return std::unexpected(failure_of(sensors.error()));
    std::vector<types::Sensor> list;
    for (SensorInfo& each : *sensors) {
      if (!matches(wanted, each.name)) continue;
      list.push_back({fmt::format("{}/{}", space, each.name), std::move(each.unit),
                      std::move(each.description)});
    }
    return list;
  };
  return (*source)->list({call.context().loop(), call.deadline()}).settle(std::move(with_names));
}

Answer<Or<types::Measurement>> read_of(Spaces& spaces, Call& call, std::string_view name) {
  using Read = Or<types::Measurement>;
  Result<void> well = check_name(name);
  if (!well) return Read(std::unexpected(failure_of(well.error())));
  Result<Source*> source = source_of(spaces, name);
  if (!source) return Read(std::unexpected(failure_of(source.error())));
  return (*source)
      ->read({call.context().loop(), call.deadline()}, std::string(within_space(name)))
      .settle([name = std::string(name)](Result<Measurement> measurement) -> Read {
        if (!measurement) return std::unexpected(failure_of(measurement.error()));
        measurement->sensor = name;
        return measurement_of(*std::move(measurement));
      });
}

Result<std::unique_ptr<Feed>> feed_of(Spaces& spaces, Call& call, std::string_view pattern,
                                      const types::Policy& policy, std::function<void()> news) {
  TRY_VOID(check_pattern(pattern));
  TRY(Source * source, source_of(spaces, pattern));
  return Feed::open(call.context().loop(), *source, pattern, policy_of(policy), std::move(news),
                    spaces.room);
}

namespace {

namespace wit = ::weft::wit::weft::sensor_0_1_0::sensors;

// What one `next` gives at most, and how long it waits.
constexpr std::size_t kNextMax = 1'000;
constexpr std::chrono::nanoseconds kWaitMax = std::chrono::hours(1);

class HostSubscription final : public wit::Subscription {
 public:
  using Next = Or<std::vector<types::Measurement>>;

  explicit HostSubscription(Loop& loop) : loop_(loop), late_(loop, [this] { give(); }) {}

  Result<void> open(Spaces& spaces, Call& call, std::string_view pattern,
                    const types::Policy& policy) {
    TRY(feed_, feed_of(spaces, call, pattern, policy, [this] { news(); }));
    return {};
  }

  Answer<Next> next(Call& call, std::uint32_t most, std::uint64_t wait) override {
    if (most == 0 || wait > static_cast<std::uint64_t>(kWaitMax.count())) {
      return Next(std::unexpected(
          types::Error::invalid("next is asked for 1 or more, and waits an hour at most")));
    }
    std::size_t count = std::min<std::size_t>(most, kNextMax);
    if (wait == 0 || feed_->any()) return taken(count);
    if (waiting_) {
      return Next(std::unexpected(types::Error::busy("somebody waits for what is next already")));
    }
    most_ = count;
    waiting_.emplace();
    late_.arm(earlier(call.deadline(), Deadline::after(std::chrono::nanoseconds(wait))));
    return waiting_->answer();
  }

  Or<InputPipe> ready() {
    if (told_.end()) {
      return std::unexpected(types::Error::busy("what is ready is told of already: once"));
    }
    auto [reader, writer] = InputPipe::make(loop_);
    told_ = std::move(writer);
    if (feed_->any()) tell();
    return std::move(reader);
  }

  ~HostSubscription() override {
    // Who waits for it learns that nothing follows.
    if (told_.end()) told_.finish();
  }

 private:
  void news() {
    if (waiting_) return give();
    tell();
  }
  // One byte until it was read.
  void tell() {
    if (told_.end() && told_.end().room() == Pipe::kBytesMax) {
      constexpr std::uint8_t kNews = 1;
      told_.end().write(BytesView(&kNews, 1));
    }
  }
  Next taken(std::size_t most) {
    std::vector<types::Measurement> list;
    for (Measurement& each : feed_->take(most)) list.push_back(measurement_of(std::move(each)));
    if (feed_->any()) tell();
    return list;
  }
  // To who waits: also where there is nothing.
  void give() {
    late_.disarm();
    if (!waiting_) return;
    Promise<Next> waiting = std::move(*waiting_);
    waiting_.reset();
    // The guest goes on in there, and may drop the subscription.
    std::move(waiting).fulfil(taken(most_));
  }

  Loop& loop_;
  ByteWriter told_;
  std::size_t most_ = 0;
  std::optional<Promise<Next>> waiting_;
  Timer late_;
  std::unique_ptr<Feed> feed_;
};

class SensorsHost final : public wit::Host {
 public:
  explicit SensorsHost(std::unique_ptr<Spaces> spaces) : spaces_(std::move(spaces)) {}

  Answer<Or<std::vector<types::Sensor>>> list(Call& call, std::string_view pattern) override {
    return list_of(*spaces_, call, pattern);
  }
  Answer<Or<types::Measurement>> read(Call& call, std::string_view name) override {
    return read_of(*spaces_, call, name);
  }
  Answer<Or<std::unique_ptr<wit::Subscription>>> subscribe(Call& call, std::string_view pattern,
                                                           types::Policy policy) override {
    using Made = Or<std::unique_ptr<wit::Subscription>>;
    auto made = std::make_unique<HostSubscription>(call.context().loop());
    if (Result<void> open = made->open(*spaces_, call, pattern, policy); !open) {
      return Made(std::unexpected(failure_of(open.error())));
    }
    return Made(std::move(made));
  }

 private:
  std::unique_ptr<Spaces> spaces_;
};

class ReadinessHost final : public ::weft::wit::weft::sensor_io_0_1_0::readiness::Host {
 public:
  Answer<Or<InputPipe>> ready(Call&, wit::Subscription& of) override {
    // There are no others.
    return static_cast<HostSubscription&>(of).ready();
  }
};

}  // namespace

std::unique_ptr<Provider> readiness_provider(std::unique_ptr<Spaces>) {
  return std::make_unique<
      Hosted<ReadinessHost, ::weft::wit::weft::sensor_io_0_1_0::readiness::Binding>>();
}

std::unique_ptr<Provider> sensors_provider(std::unique_ptr<Spaces> spaces) {
  return std::make_unique<Hosted<SensorsHost, wit::Binding>>(std::move(spaces));
}

}  // namespace weft::sensor
