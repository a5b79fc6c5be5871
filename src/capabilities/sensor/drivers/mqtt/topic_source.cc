#include "capabilities/sensor/drivers/mqtt/topic_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "capabilities/sensor/file_number.h"
#include "io/loop.h"

namespace weft::sensor::mqtt {
namespace {

namespace json = boost::json;

Result<double> value_of_text(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kFlags{
      {{"true", 1}, {"false", 0}, {"on", 1}, {"off", 0}}};
  auto same = [&](std::string_view flag) {
    return std::ranges::equal(text, flag, {}, [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
  };
  for (const auto& [flag, value] : kFlags) {
    if (same(flag)) return value;
  }
  Result<double> number = number_of(text, "the message");
  if (!number) return failure(Errc::kInvalid, number.error().message());
  return number;
}

}  // namespace

Result<double> value_of(std::string_view payload, const std::string& pointer) {
  if (payload.size() > kPayloadBytesMax) {
    return failure(Errc::kInvalid, fmt::format("a message of {} bytes", payload.size()));
  }
  if (pointer.empty()) return value_of_text(payload);
  boost::system::error_code wrong;
  json::value parsed = json::parse(payload, wrong);
  if (wrong) return failure(Errc::kInvalid, "the message is no JSON");
  const json::value* found = parsed.find_pointer(pointer, wrong);
  if (found == nullptr) {
    return failure(Errc::kInvalid, fmt::format("the message has nothing at {}", pointer));
  }
  if (found->is_bool()) return found->get_bool() ? 1 : 0;
  if (found->is_string()) return value_of_text(found->get_string());
  if (found->is_number()) {
    double value = found->to_number<double>();
    if (std::isfinite(value)) return value;
  }
  return failure(Errc::kInvalid, fmt::format("what is at {} is no number", pointer));
}

// One who waits for the first value of a sensor.
struct TopicSource::Reading {
  Reading(TopicSource& source, Readings::iterator self, std::string name)
      : sensor(std::move(name)), late(source.loop_, [&source, self] {
          auto gone = std::move(*self);
          source.readings_.erase(self);
          std::string why =
              source.problem_.empty() ? "nothing has come of it yet" : source.problem_;
          std::move(gone->promise)
              .fulfil(failure(Errc::kUnavailable, fmt::format("{}: {}", gone->sensor, why)));
        }) {}

  const std::string sensor;
  Promise<Measurement> promise;
  Timer late;
};

TopicSource::TopicSource(Loop& loop, std::shared_ptr<const Settings> settings)
    : loop_(loop), settings_(std::move(settings)), old_(loop, [this] { age(); }) {}

TopicSource::~TopicSource() {
  if (client_ != nullptr) client_->leave();
}

Answer<std::vector<SensorInfo>> TopicSource::list(Request) {
  std::vector<SensorInfo> all;
  for (const Place& each : settings_->places) all.push_back(each.sensor);
  return all;
}

Answer<Measurement> TopicSource::read(Request request, std::string sensor) {
  bool known = std::ranges::any_of(settings_->places,
                                   [&](const Place& each) { return each.sensor.name == sensor; });
  if (!known) return failure(Errc::kNotFound, fmt::format("there is no sensor \"{}\"", sensor));
  listen();
  if (auto last = last_.find(sensor); last != last_.end()) {
    Measurement measurement = last->second.measurement;
    bool old = Clock::now() - last->second.came >= settings_->max_age;
    if (old && measurement.quality != Quality::kBad) measurement.quality = Quality::kStale;
    return measurement;
  }
  if (readings_.size() >= kReadersMax) {
    return failure(Errc::kLimit, fmt::format("{} wait for a first value", readings_.size()));
  }
  auto reading = readings_.emplace(readings_.end());
  *reading = std::make_unique<Reading>(*this, reading, std::move(sensor));
  (*reading)->late.arm(earlier(request.deadline, Deadline::after(kFirstMax)));
  return (*reading)->promise.answer();
}

Result<std::unique_ptr<Watching>> TopicSource::watch(std::string pattern, Taker taker) {
  listen();
  // What came before is told to whoever comes now, later: as what the server keeps is to the first.
  auto shared = std::make_shared<Taker>(std::move(taker));  // Gone with the watch.
  std::weak_ptr<Taker> weakly = shared;
  auto told = [shared = std::move(shared)](const Measurement& each) { (*shared)(each); };
  TRY(std::unique_ptr<Watching> watching,
      watchers_.add(pattern, std::move(told), shared_from_this()));
  loop_.post([weak = weak_from_this(), weakly, pattern = std::move(pattern)] {
    auto self = weak.lock();
    if (self == nullptr) return;
    for (const Place& each : self->settings_->places) {
      auto last = self->last_.find(each.sensor.name);
      if (last == self->last_.end() || !matches(pattern, each.sensor.name)) continue;
      auto taker = weakly.lock();
      if (taker == nullptr) return;
      (*taker)(last->second.measurement);
    }
  });
  return watching;
}

void TopicSource::listen() {
  if (client_ != nullptr) return;
  client_ = std::make_shared<remote::mqtt::Client>(
      loop_, std::shared_ptr<const remote::mqtt::Settings>(settings_, &settings_->server),
      remote::mqtt::Session{});
  auto on_message = [weak = weak_from_this(), client = std::weak_ptr(client_),
                     &loop = loop_](remote::mqtt::Incoming incoming) {
    if (auto self = client.lock()) {
      self->acknowledge(incoming.connection, incoming.message.qos, incoming.message.id);
    }
    // Whoever is told may be the source's last user: not inside its client.
    loop.post([weak, message = std::move(incoming.message)] {
      if (auto self = weak.lock()) self->came(message);
    });
  };
  auto subscribed = [weak = weak_from_this()](const Result<void>& done) {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->problem_ = done ? "" : done.error().message();
    if (!done) {
      log::warn("sensor", "an MQTT server does not let sensors be followed",
                {{"filter", self->settings_->filter}, {"why", done.error().message()}});
    }
  };
  client_->listen(settings_->filter, settings_->qos, std::move(on_message), std::move(subscribed),
                  remote::mqtt::Kept::kWanted);
}

void TopicSource::came(const remote::mqtt::Publish& message) {
  for (const Place& each : settings_->places) {
    if (each.topic != message.topic) continue;
    Instant now = calendar();
    Result<double> value = value_of(as_text(message.payload), each.pointer);
    if (!value) {
      log::debug("sensor", "a message is no value",
                 {{"topic", message.topic}, {"why", value.error().message()}});
      take(failed(each.sensor, now));
      continue;
    }
    // How old what the server has kept is nobody knows.
    Quality quality = message.retain ? Quality::kUncertain : Quality::kGood;
    take({each.sensor.name, *value, each.sensor.unit, now, quality});
  }
}

void TopicSource::take(Measurement measurement) {
  auto keep = shared_from_this();
  last_[measurement.sensor] = {measurement, Clock::now()};
  if (!old_.armed()) old_.arm(Deadline::after(settings_->max_age));
  Readings answered;
  for (auto each = readings_.begin(); each != readings_.end();) {
    auto next = std::next(each);
    if ((*each)->sensor == measurement.sensor) {
      (*each)->late.disarm();
      answered.splice(answered.end(), readings_, each);
    }
    each = next;
  }
  for (auto& each : answered) std::move(each->promise).fulfil(measurement);
  watchers_.tell(measurement);
}

// Tells once of each that became too old.
void TopicSource::age() {
  auto keep = shared_from_this();
  auto now = Clock::now();
  std::optional<Clock::time_point> next;
  std::vector<Measurement> stale;
  for (auto& [name, last] : last_) {
    Quality& quality = last.measurement.quality;
    if (quality == Quality::kStale || quality == Quality::kBad) continue;
    auto end = last.came + settings_->max_age;
    if (end <= now) {
      quality = Quality::kStale;
      stale.push_back(last.measurement);
    } else if (!next || end < *next) {
      next = end;
    }
  }
  if (next) old_.arm(Deadline::at(*next));
  for (const Measurement& each : stale) watchers_.tell(each);
}

}  // namespace weft::sensor::mqtt
