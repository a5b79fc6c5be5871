#include "capabilities/sensor/drivers/mqtt/mqtt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "capabilities/messaging/drivers/mqtt/mqtt.h"
#include "capabilities/sensor/drivers/mqtt/topic_source.h"
#include "capabilities/sensor/entries.h"
#include "capabilities/shared_by.h"

namespace weft::sensor::mqtt {
namespace {

constexpr std::size_t kTopicBytesMax = 1'000;

constexpr std::array<DriverKey, 9> kKeys{
    {{"url", DriverKey::Kind::kText, "mqtt://HOST:1883"},
     {"username"},
     {"password"},
     {"ca-file", DriverKey::Kind::kPath},
     {"sensors", DriverKey::Kind::kText, "temperature: topic=plant/temperature unit=Cel"},
     {"filter"},
     {"qos"},
     {"max-age", DriverKey::Kind::kDuration},
     {"timeout", DriverKey::Kind::kDuration}}};

Result<Place> read_place(const Entry& entry) {
  Place place;
  const std::string* topic = entry.find("topic");
  if (topic == nullptr || topic->empty() || topic->size() > kTopicBytesMax ||
      topic->find_first_of("+#") != topic->npos) {
    return failure(
        Errc::kInvalid,
        fmt::format("sensors: {}: no topic=plant/temperature, or one with + or #", entry.name));
  }
  place.topic = *topic;
  if (const std::string* pointer = entry.find("pointer")) place.pointer = *pointer;
  if (!place.pointer.empty() && !place.pointer.starts_with('/')) {
    return failure(Errc::kInvalid,
                   fmt::format("sensors: {}: a pointer into JSON begins with /", entry.name));
  }
  const std::string* unit = entry.find("unit");
  place.sensor = {entry.name, unit == nullptr ? "1" : *unit, place.topic + place.pointer};
  return place;
}

class MqttBackend final : public Backend {
 public:
  explicit MqttBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::shared_ptr<Source> source(Loop& loop) override {
    return sources_.get(&loop, [&] { return std::make_shared<TopicSource>(loop, settings_); });
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto client = std::make_shared<remote::mqtt::Client>(
        loop, std::shared_ptr<const remote::mqtt::Settings>(settings_, &settings_->server),
        remote::mqtt::Session{});
    client->reach(deadline, [client, done = std::move(done)](Result<void> reached) mutable {
      client->leave();
      done(std::move(reached));
    });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  const std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  PerLoop<TopicSource> sources_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<std::string> filter_of(const std::vector<Place>& places) {
  std::string common = places.front().topic;
  bool all = true;  // One topic has everything.
  for (const Place& each : places) {
    if (each.topic == common && all) continue;
    all = false;
    // Whole parts only.
    while (!common.empty() && each.topic != common && !each.topic.starts_with(common + "/")) {
      std::size_t slash = common.rfind('/');
      common.resize(slash == common.npos ? 0 : slash);
    }
  }
  if (all) return common;
  if (!common.empty()) return common + "/#";
  return failure(Errc::kInvalid,
                 "the topics of the sensors have no first part in common: write filter = \"#\", or "
                 "whichever has all of them");
}

Result<Settings> read_settings(const DriverChoice& choice) {
  // The server's keys, and qos, are those of messages.
  TRY(messaging::mqtt::Settings shared, messaging::mqtt::read_settings(choice));
  Settings settings;
  settings.server = std::move(shared.server);
  settings.qos = shared.qos;
  const Secret* sensors = choice.find("sensors");
  TRY(std::vector<Entry> entries,
      read_entries(sensors == nullptr ? "" : sensors->reveal(), {"topic", "pointer", "unit"}));
  for (const Entry& each : entries) {
    TRY(Place place, read_place(each));
    settings.places.push_back(std::move(place));
  }
  std::ranges::sort(settings.places, {}, [](const Place& each) { return each.sensor.name; });
  if (const Secret* filter = choice.find("filter")) {
    settings.filter = filter->reveal();
  } else {
    TRY(settings.filter, filter_of(settings.places));
  }
  if (settings.filter.empty() || settings.filter.size() > kTopicBytesMax) {
    return failure(Errc::kInvalid, "filter: \"plant/#\", for example");
  }
  TRY(settings.max_age, choice.duration("max-age", settings.max_age));
  return settings;
}

std::unique_ptr<Backend> mqtt_backend(Settings settings) {
  return std::make_unique<MqttBackend>(std::move(settings));
}

}  // namespace weft::sensor::mqtt
