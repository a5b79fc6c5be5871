// Shows what of MQTT is its own: settings, filters, payloads, what the server kept, what becomes
// old, and a server that goes and comes.
#include "capabilities/sensor/drivers/mqtt/mqtt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "capabilities/keyvalue/testing.h"
#include "capabilities/sensor/drivers/mqtt/testing.h"
#include "capabilities/sensor/drivers/mqtt/topic_source.h"

namespace weft::sensor::mqtt {
namespace {

using namespace std::chrono_literals;
using keyvalue::await;
using ::testing::HasSubstr;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"mqtt"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(MqttSensorSettings, AreRead) {
  auto settings = read_settings(choice({{"url", "mqtt://me:pass@host"},
                                        {"sensors",
                                         "t: topic=plant/7/t unit=Cel\n"
                                         "h: topic=plant/7/env pointer=/hum unit=%"},
                                        {"qos", "0"},
                                        {"max-age", "30s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.endpoint.port, 1883);
  EXPECT_EQ(settings->filter, "plant/7/#");
  EXPECT_EQ(settings->qos, 0);
  EXPECT_EQ(settings->max_age, 30s);
  ASSERT_EQ(settings->places.size(), 2U);
  EXPECT_EQ(settings->places[0].sensor, (SensorInfo{"h", "%", "plant/7/env/hum"}));
  EXPECT_EQ(settings->places[1].topic, "plant/7/t");
}

TEST(MqttSensorSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({{"sensors", "t: topic=a"}}), "url"},
        std::pair{choice({{"url", "mqtt://h"}}), "0 of them"},
        std::pair{choice({{"url", "mqtt://h"}, {"sensors", "t: unit=Cel"}}), "no topic"},
        std::pair{choice({{"url", "mqtt://h"}, {"sensors", "t: topic=a/+"}}), "+ or #"},
        std::pair{choice({{"url", "mqtt://h"}, {"sensors", "t: topic=a pointer=x"}}),
                  "begins with"},
        std::pair{choice({{"url", "mqtt://h"}, {"sensors", "t: topic=a; u: topic=b"}}), "filter ="},
        std::pair{choice({{"url", "mqtt://h"}, {"sensors", "t: topic=a"}, {"qos", "3"}}), "qos"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

TEST(MqttSensorFilters, HaveWhatTopicsHaveInCommon) {
  auto filter = [](std::vector<std::string> topics) {
    std::vector<Place> places;
    for (std::string& each : topics) places.push_back({{"s", "1"}, std::move(each)});
    auto found = filter_of(places);
    return found ? *found : "none";
  };
  EXPECT_EQ(filter({"a/b"}), "a/b");
  EXPECT_EQ(filter({"a/b", "a/b"}), "a/b");
  EXPECT_EQ(filter({"a/b/c", "a/b/d"}), "a/b/#");
  EXPECT_EQ(filter({"a/bc", "a/bd"}), "a/#");
  // To a server a/b is one of a/b/#.
  EXPECT_EQ(filter({"a/b", "a/b/c"}), "a/b/#");
  EXPECT_EQ(filter({"a/b/c", "a/b"}), "a/b/#");
  EXPECT_EQ(filter({"a", "b"}), "none");
}

TEST(MqttPayloads, AreNumbersAndFlags) {
  EXPECT_EQ(value_of("21.5", ""), 21.5);
  EXPECT_EQ(value_of(" -3e2\n", ""), -300);
  EXPECT_EQ(value_of("ON", ""), 1);
  EXPECT_EQ(value_of("False", ""), 0);
  EXPECT_EQ(value_of(R"({"a": [1, {"b": 7}]})", "/a/1/b"), 7);
  EXPECT_EQ(value_of(R"({"a": true})", "/a"), 1);
  EXPECT_EQ(value_of(R"({"a": "12.5"})", "/a"), 12.5);
  for (auto [payload, pointer] : {std::pair{"", ""},
                                  {"warm", ""},
                                  {"1 2", ""},
                                  {"nan", ""},
                                  {"{", "/a"},
                                  {R"({"a": null})", "/a"},
                                  {R"({"a": 1})", "/b"},
                                  {R"({"a": 1e999})", "/a"},
                                  {R"([1])", "/x"}}) {
    EXPECT_FALSE(value_of(payload, pointer).has_value()) << payload;
  }
  EXPECT_FALSE(value_of(std::string(kPayloadBytesMax + 1, '1'), "").has_value());
  EXPECT_FALSE(value_of(std::string(5'000, '['), "/a").has_value());
}

class MqttSensors : public ::testing::Test {
 protected:
  MqttSensors() : publisher_(server().port()) {
    static int tests = 0;
    topic_ = "test" + std::to_string(++tests) + "/t";
    settings_.server.endpoint = {"127.0.0.1", server().port()};
    settings_.server.silence = 1'500ms;
    settings_.places = {{{"t", "Cel"}, topic_}};
    settings_.filter = topic_;
  }
  ~MqttSensors() override {
    watch_ = nullptr;
    source_ = nullptr;
    loop_.context().restart();
    loop_.context().poll();
  }
  static remote::RealServer& server() {
    static remote::RealServer server(remote::mqtt::server_command);
    return server;
  }
  void start() {
    backend_ = mqtt_backend(settings_);
    source_ = backend_->source(loop_);
  }
  void watch() {
    watch_ = *source_->watch("*", [&](const Measurement& each) { told_.push_back(each); });
  }
  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(20s);
    while (!done()) {
      if (limit.passed()) return false;
      loop_.context().restart();
      loop_.context().run_for(5ms);
    }
    return true;
  }
  Result<Measurement> read() {
    return await(loop_, source_->read({loop_, Deadline::after(20s)}, "t"));
  }

  Publisher publisher_;
  std::string topic_;
  Settings settings_;
  Loop loop_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<Source> source_;
  std::unique_ptr<Watching> watch_;
  std::vector<Measurement> told_;
};

TEST_F(MqttSensors, WhatTheServerKeptIsUncertainAndWhatComesIsGood) {
  publisher_.publish(topic_, "20", true);
  start();
  auto kept = read();
  ASSERT_TRUE(kept.has_value()) << kept.error().message();
  EXPECT_EQ(kept->value, 20);
  EXPECT_EQ(kept->quality, Quality::kUncertain);
  watch();
  // Who comes later is told of it too.
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  publisher_.publish(topic_, "21");
  ASSERT_TRUE(until([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1].value, 21);
  EXPECT_EQ(told_[1].quality, Quality::kGood);
  EXPECT_EQ(read()->value, 21);
}

TEST_F(MqttSensors, WhatIsNoValueIsBad) {
  publisher_.publish(topic_, "20", true);
  start();
  watch();
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  publisher_.publish(topic_, "broken");
  ASSERT_TRUE(until([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1].quality, Quality::kBad);
  EXPECT_TRUE(std::isnan(told_[1].value));
  EXPECT_EQ(read()->quality, Quality::kBad);
}

TEST_F(MqttSensors, WhatIsOldIsStaleAndToldOfOnce) {
  settings_.max_age = 100ms;
  publisher_.publish(topic_, "20", true);
  start();
  watch();
  ASSERT_TRUE(until([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1].quality, Quality::kStale);
  EXPECT_EQ(told_[1].value, 20);
  EXPECT_EQ(read()->quality, Quality::kStale);
  publisher_.publish(topic_, "21");
  ASSERT_TRUE(until([&] { return told_.size() == 4; }));
  EXPECT_EQ(told_[2].quality, Quality::kGood);
  EXPECT_EQ(told_[3].quality, Quality::kStale);
}

TEST_F(MqttSensors, OneOfWhichNothingCameIsUnavailable) {
  start();
  auto begin = Deadline::Clock::now();
  auto none = await(loop_, source_->read({loop_, Deadline::after(100ms)}, "t"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code(), Errc::kUnavailable);
  EXPECT_THAT(none.error().message(), HasSubstr("nothing has come"));
  EXPECT_LT(Deadline::Clock::now() - begin, 10s);
}

TEST_F(MqttSensors, GoOnWhenTheServerIsBack) {
  publisher_.publish(topic_, "20", true);
  start();
  watch();
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  server().kill();
  until([run = 0]() mutable { return ++run > 20; });
  EXPECT_EQ(read()->value, 20) << "the last value is there";
  server().start();
  std::size_t before = told_.size();
  Publisher again(server().port());
  ASSERT_TRUE(until([&] {
    again.publish(topic_, "22");
    return told_.size() > before && told_.back().value == 22;
  }));
}

TEST_F(MqttSensors, AreAskedForByCheck) {
  start();
  std::optional<Result<void>> reached;
  backend_->reach(loop_, Deadline::after(20s),
                  [&](Result<void> done) { reached = std::move(done); });
  ASSERT_TRUE(until([&] { return reached.has_value(); }));
  EXPECT_TRUE(reached->has_value());
}

}  // namespace
}  // namespace weft::sensor::mqtt
