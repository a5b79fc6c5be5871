// Shows what a component sees of weft:sensor: whose sensors it reaches, its bounds and errors, what
// a subscription gives and tells of, and what a stream's reader finds who is slow.
#include "capabilities/sensor/sensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "capabilities/sensor/drivers/simulated/simulated.h"
#include "capabilities/testing.h"
#include "wit/weft/sensor_0_1_0/async_sensors.h"
#include "wit/weft/sensor_0_1_0/sensors.h"
#include "wit/weft/sensor_io_0_1_0/readiness.h"

namespace weft::sensor {
namespace {

namespace wit = ::weft::wit::weft::sensor_0_1_0;
namespace types = wit::types;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using types::Error;
template <class T>
using Or = std::expected<T, Error>;
using Handle = std::uint32_t;
using List = std::vector<types::Measurement>;

constexpr std::uint64_t kSecond = 1'000'000'000;

DriverChoice choice(std::string driver, std::string sensors, std::string every = "10ms") {
  return {std::move(driver),
          {{"sensors", Secret(std::move(sensors))}, {"every", Secret(std::move(every))}}};
}

// Lets what is posted end too, before the instance goes.
class TestGuest : public weft::TestGuest {
 public:
  using weft::TestGuest::TestGuest;
  ~TestGuest() override { poll(); }
  void poll() {
    loop().context().restart();
    loop().context().poll();
  }
  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(20s);
    while (!done()) {
      if (limit.passed()) return false;
      loop().context().restart();
      loop().context().run_for(5ms);
    }
    return true;
  }
};

class SensorsOfComponents : public ::testing::TestWithParam<std::string_view> {
 protected:
  SensorsOfComponents() {
    use_.names = {"boiler", "hall"};
    use_.drivers.emplace("boiler", choice("simulated",
                                          "a: wave=constant offset=7 unit=Cel;"
                                          "b/c: wave=constant offset=8"));
  }
  const Offer& offer() const { return offer_of(capability_, GetParam()); }
  Or<types::Measurement> read(TestGuest& guest, std::string_view name) {
    auto answer = guest.call<Or<types::Measurement>>(offer(), "read", name);
    CHECK(answer.has_value());
    return *std::move(answer);
  }
  Or<std::vector<types::Sensor>> list(TestGuest& guest, std::string_view pattern) {
    auto answer = guest.call<Or<std::vector<types::Sensor>>>(offer(), "list", pattern);
    CHECK(answer.has_value());
    return *std::move(answer);
  }

  Use use_;
  SensorCapability capability_{
      simulated::simulated_backend(*simulated::read_settings(DriverChoice{"simulated"}))};
};

TEST_P(SensorsOfComponents, AreListedAndRead) {
  TestGuest guest(capability_, use_);
  auto all = list(guest, "boiler/*");
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0), (types::Sensor{"boiler/a", "Cel", "simulated"}));
  EXPECT_EQ(all->at(1).name, "boiler/b/c");
  EXPECT_EQ(list(guest, "boiler/b*")->size(), 1U);
  EXPECT_THAT(*list(guest, "boiler/none"), IsEmpty());
  auto measurement = read(guest, "boiler/a");
  ASSERT_TRUE(measurement.has_value());
  EXPECT_EQ(measurement->sensor, "boiler/a");
  EXPECT_EQ(measurement->value, 7);
  EXPECT_EQ(measurement->unit, "Cel");
  EXPECT_EQ(measurement->quality, types::Quality::kGood);
  EXPECT_GT(measurement->time, 1'600'000'000 * kSecond);
  EXPECT_TRUE(read(guest, "boiler/none").error().is<Error::NotFound>());
  // One for which nobody chose anything.
  EXPECT_EQ(read(guest, "hall/temperature")->unit, "Cel");
}

TEST_P(SensorsOfComponents, AreThoseOfGrantedSpaces) {
  TestGuest guest(capability_, use_);
  EXPECT_EQ(read(guest, "attic/temperature").error(), Error::denied());
  EXPECT_EQ(list(guest, "attic/*").error(), Error::denied());
  EXPECT_TRUE(read(guest, "boiler").error().is<Error::Invalid>());
  EXPECT_TRUE(list(guest, "*/a").error().is<Error::Invalid>());
  EXPECT_TRUE(read(guest, std::string(300, 'x')).error().is<Error::Invalid>());
  TestGuest alone(capability_, {.any_name = true});
  EXPECT_TRUE(read(alone, "attic/temperature").has_value());
}

INSTANTIATE_TEST_SUITE_P(sensor, SensorsOfComponents,
                         ::testing::Values(wit::sensors::kName, wit::async_sensors::kName),
                         [](const auto& name) {
                           return name.param == wit::sensors::kName ? "blocking" : "async";
                         });

class Subscriptions : public SensorsOfComponents {
 protected:
  Or<Handle> subscribe(TestGuest& guest, std::string_view pattern, types::Policy policy) {
    auto answer = guest.call<Or<Handle>>(offer(), "subscribe", pattern, policy);
    CHECK(answer.has_value());
    return *std::move(answer);
  }
  Or<List> next(TestGuest& guest, Handle handle, std::uint32_t most, std::uint64_t wait) {
    auto answer = guest.call<Or<List>>(offer(), "[method]subscription.next", handle, most, wait);
    CHECK(answer.has_value());
    return *std::move(answer);
  }
};

TEST_P(Subscriptions, GiveWhatComesAndWaitForIt) {
  TestGuest guest(capability_, use_);
  auto handle = subscribe(guest, "boiler/a", types::Policy::all(100));
  ASSERT_TRUE(handle.has_value());
  EXPECT_THAT(*next(guest, *handle, 10, 0), IsEmpty());
  auto first = next(guest, *handle, 1, 20 * kSecond);
  ASSERT_TRUE(first.has_value());
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().sensor, "boiler/a");
  auto second = next(guest, *handle, 1, 20 * kSecond);
  ASSERT_EQ(second->size(), 1U);
  EXPECT_GT(second->front().time, first->front().time);
}

TEST_P(Subscriptions, HaveBounds) {
  TestGuest guest(capability_, use_);
  for (auto policy : {types::Policy::all(0), types::Policy::all(10'001), types::Policy::sample(1),
                      types::Policy::sample(UINT64_MAX)}) {
    EXPECT_TRUE(subscribe(guest, "boiler/a", policy).error().is<Error::Invalid>());
  }
  EXPECT_EQ(subscribe(guest, "attic/*", types::Policy::latest()).error(), Error::denied());
  auto none = subscribe(guest, "boiler/none", types::Policy::latest());
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(next(guest, *none, 0, 0).error().is<Error::Invalid>());
  EXPECT_TRUE(next(guest, *none, 1, 3'601 * kSecond).error().is<Error::Invalid>());
  // Nothing comes, and the wait has its end.
  auto begin = Deadline::Clock::now();
  EXPECT_THAT(*next(guest, *none, 1, kSecond / 20), IsEmpty());
  EXPECT_GE(Deadline::Clock::now() - begin, 50ms);
}

TEST_P(Subscriptions, TellOfWhatIsReadyOnce) {
  const Offer& readiness =
      offer_of(capability_, ::weft::wit::weft::sensor_io_0_1_0::readiness::kName);
  TestGuest guest(capability_, use_);
  auto handle = subscribe(guest, "boiler/*", types::Policy::latest());
  auto pipe = guest.call<Or<std::uint32_t>>(readiness, "ready", *handle);
  ASSERT_TRUE(pipe.has_value() && pipe->has_value());
  auto end = guest.resources().pipes()->take_reader(**pipe, PipeKind::kBytes);
  ASSERT_TRUE(end.has_value()) << end.error().message();
  EXPECT_EQ(end->state(), PipeState::kNothingYet);
  ASSERT_TRUE(guest.until([&] { return end->state() == PipeState::kData; }));
  EXPECT_EQ(end->view().size(), 1U) << "one byte, however much waits";
  EXPECT_EQ(next(guest, *handle, 10, 0)->size(), 2U);
  end->take(1);
  ASSERT_TRUE(guest.until([&] { return end->state() == PipeState::kData; }));
  end->take(1);
  // What was not all taken is told of at once.
  EXPECT_EQ(next(guest, *handle, 1, 0)->size(), 1U);
  EXPECT_EQ(end->state(), PipeState::kData);
  auto again = guest.call<Or<std::uint32_t>>(readiness, "ready", *handle);
  EXPECT_TRUE(again->error().is<Error::Busy>());
  guest.resources().drop(*handle);
  end->take(1);
  EXPECT_EQ(end->state(), PipeState::kEnd);
}

INSTANTIATE_TEST_SUITE_P(sensor, Subscriptions, ::testing::Values(wit::sensors::kName),
                         [](const auto&) { return "blocking"; });

class Streams : public SensorsOfComponents {
 protected:
  Or<PipeReader> subscribe(TestGuest& guest, std::string_view pattern, types::Policy policy) {
    auto answer = guest.call<Or<std::uint32_t>>(offer(), "subscribe", pattern, policy);
    CHECK(answer.has_value());
    if (!*answer) return std::unexpected(answer->error());
    auto end = guest.resources().pipes()->take_reader(**answer, PipeKind::kItems);
    CHECK(end.has_value());
    return *std::move(end);
  }
  static types::Measurement take(PipeReader& end) {
    Reader in(end.view());
    auto measurement = in.read<types::Measurement>();
    end.take(1);
    return measurement;
  }
};

TEST_P(Streams, OfTheLatestHaveItForWhoIsSlow) {
  TestGuest guest(capability_, use_);
  auto end = subscribe(guest, "boiler/a", types::Policy::latest());
  ASSERT_TRUE(end.has_value());
  ASSERT_TRUE(guest.until([&] { return end->state() == PipeState::kData; }));
  // A while passes in which nothing is read.
  auto begin = Deadline::Clock::now();
  guest.until([&] { return Deadline::Clock::now() - begin > 1s; });
  auto first = take(*end);
  EXPECT_EQ(first.missed, 0U);
  // One lay there; the newest comes after it, not those in between.
  EXPECT_EQ(end->state(), PipeState::kNothingYet);
  ASSERT_TRUE(guest.until([&] { return end->state() == PipeState::kData; }));
  auto second = take(*end);
  EXPECT_GT(second.missed, 3U);
  EXPECT_GT(second.time, first.time + 100'000'000);
}

TEST_P(Streams, OfAllMissNothingAndAreBounded) {
  TestGuest guest(capability_, use_);
  auto end = subscribe(guest, "boiler/a", types::Policy::all(10'000));
  std::uint64_t last = 0;
  for (int i = 0; i < 30; ++i) {
    if (i % 10 == 0) {
      auto begin = Deadline::Clock::now();
      guest.until([&] { return Deadline::Clock::now() - begin > 50ms; });
    }
    ASSERT_TRUE(guest.until([&] { return end->state() == PipeState::kData; }));
    auto measurement = take(*end);
    EXPECT_EQ(measurement.missed, 0U);
    EXPECT_GT(measurement.time, last);
    last = measurement.time;
  }
  EXPECT_TRUE(subscribe(guest, "boiler/a", types::Policy::all(0)).error().is<Error::Invalid>());
}

TEST_P(Streams, EndWithTheirReader) {
  TestGuest guest(capability_, use_);
  auto backend = capability_.backend_of(use_, "boiler");
  ASSERT_NE(backend, nullptr);
  {
    auto end = subscribe(guest, "boiler/a", types::Policy::latest());
    ASSERT_TRUE(guest.until([&] { return end->state() == PipeState::kData; }));
  }
  guest.poll();
  // As many as may watch do so again and again: those before are gone.
  for (std::size_t i = 0; i < 2 * kWatchersMax; ++i) {
    auto end = subscribe(guest, "boiler/a", types::Policy::latest());
    ASSERT_TRUE(end.has_value()) << i;
    end = std::unexpected(Error::denied());
    guest.poll();
  }
}

INSTANTIATE_TEST_SUITE_P(sensor, Streams, ::testing::Values(wit::async_sensors::kName),
                         [](const auto&) { return "async"; });

TEST(SensorDrivers, AreChecked) {
  SensorCapability capability(simulated::simulated_backend({}));
  EXPECT_TRUE(capability.check({"simulated"}).has_value());
  EXPECT_TRUE(capability.check({"host"}).has_value());
  EXPECT_TRUE(capability.check({"iio"}).has_value());
  EXPECT_FALSE(capability.check({"mqtt"}).has_value());
  EXPECT_FALSE(capability.check(choice("simulated", "a: wave=saw")).has_value());
  EXPECT_FALSE(capability.check({"crystal-ball"}).has_value());
  EXPECT_TRUE(capability.connect("x", {"host"}).has_value());
  auto nowhere = capability.connect("x", {"iio", {{"path", Secret(std::string("/no/such"))}}});
  EXPECT_EQ(nowhere.error().code(), Errc::kUnavailable);
}

TEST(SensorTriggers, AreRead) {
  auto batch = read_trigger(
      {{{"sensor", "boiler/*"}, {"every", "10000ms"}, {"most", "50"}, {"policy", "sample 5s"}}});
  ASSERT_TRUE(batch.has_value()) << batch.error().message();
  EXPECT_FALSE(batch->crossings());
  EXPECT_EQ(batch->every, 10s);
  EXPECT_EQ(batch->most, 50U);
  EXPECT_EQ(batch->policy.every, 5s);
  auto alarm = read_trigger(
      {{{"sensor", "boiler/t"}, {"above", "80.5"}, {"below", "-3"}, {"hysteresis", "2"}}});
  ASSERT_TRUE(alarm.has_value()) << alarm.error().message();
  EXPECT_TRUE(alarm->crossings());
  EXPECT_EQ(alarm->limits.above, 80.5);
  EXPECT_EQ(alarm->limits.below, -3);
  EXPECT_EQ(alarm->limits.hysteresis, 2);
}

TEST(SensorTriggers, SayWhatIsWrong) {
  SensorCapability capability(simulated::simulated_backend({}));
  Use use{.names = {"boiler"}};
  for (auto [settings, what] :
       {std::pair{TriggerSettings{}, "SPACE/NAME"},
        {TriggerSettings{{{"sensor", "hall/t"}}}, "uses.sensor"},
        {TriggerSettings{{{"sensor", "boiler/temperature"}, {"above", "hot"}}}, "no number"},
        {TriggerSettings{{{"sensor", "boiler/temperature"}, {"above", "1"}, {"below", "2"}}},
         "not less"},
        {TriggerSettings{{{"sensor", "boiler/temperature"}, {"above", "1"}, {"every", "1s"}}},
         "batches"},
        {TriggerSettings{{{"sensor", "boiler/temperature"}, {"hysteresis", "1"}}}, "beside above"},
        {TriggerSettings{{{"sensor", "boiler/temperature"}, {"most", "1001"}}}, "1000 at most"},
        {TriggerSettings{{{"sensor", "boiler/temperature"}, {"policy", "some"}}}, "\"latest\""}}) {
    auto problems = capability.check_trigger(use, settings);
    ASSERT_EQ(problems.size(), 1U) << what;
    EXPECT_THAT(problems[0].found + ": " + problems[0].write, HasSubstr(what));
  }
  EXPECT_TRUE(capability.check_trigger(use, {{{"sensor", "boiler/*"}}}).empty());
}

TEST(SensorTriggers, NameSensorsThatThereAre) {
  SensorCapability capability(simulated::simulated_backend({}));
  Use use{.names = {"boiler"}};
  TriggerSettings slip{{{"sensor", "boiler/temprature"}}};
  // Nobody chose a driver: it may be there where it will run.
  auto warned = capability.check_trigger(use, slip);
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_EQ(warned[0].weight, TriggerProblem::Weight::kWarning);
  use.drivers.emplace("boiler", choice("simulated", "temperature: unit=Cel"));
  auto refused = capability.check_trigger(use, slip);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].weight, TriggerProblem::Weight::kError);
  EXPECT_EQ(refused[0].write, "did you mean \"boiler/temperature\"?");
  EXPECT_TRUE(capability.check_trigger(use, {{{"sensor", "boiler/temp*"}}}).empty());
  EXPECT_EQ(capability.check_trigger(use, {{{"sensor", "boiler/hall*"}}})[0].write,
            "what there is: temperature");
  use.drivers["boiler"] = {"host"};
  EXPECT_TRUE(capability.check_trigger(use, slip).empty());
}

TEST(SensorTriggers, AreThereOnce) {
  using Wake = TriggerPair::Wake;
  SensorCapability capability(simulated::simulated_backend({}));
  TriggerSettings one{{{"sensor", "boiler/*"}, {"above", "80"}}};
  TriggerSettings other{{{"sensor", "boiler/*"}, {"above", "90"}}};
  EXPECT_TRUE(capability.check_beside({one, one, Wake::kOneComponent}).has_value());
  EXPECT_FALSE(capability.check_beside({one, one, Wake::kTwo}).has_value());
  EXPECT_FALSE(capability.check_beside({one, other, Wake::kOneComponent}).has_value());
}

TEST(SensorSpaces, HaveNamesWithoutASlash) {
  SensorCapability capability(simulated::simulated_backend({}));
  EXPECT_TRUE(capability.check_name("boiler").has_value());
  for (const char* wrong : {"boiler/temperature", "boiler/*"}) {
    EXPECT_THAT(capability.check_name(wrong).error().message(), HasSubstr("write \"boiler\""));
  }
  EXPECT_FALSE(capability.check_name("").has_value());
}

}  // namespace
}  // namespace weft::sensor
