#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/sensor/drivers/mqtt/mqtt.h"
#include "capabilities/sensor/watchers.h"
#include "io/timer.h"

namespace weft::sensor::mqtt {

// How long a reader waits for the first value of a sensor.
inline constexpr std::chrono::seconds kFirstMax{3};
// Readers of one loop that do.
inline constexpr std::size_t kReadersMax = 1'024;
// A message that is larger is none of a sensor's.
inline constexpr std::size_t kPayloadBytesMax = 64 << 10;

// What has come of the topics of a space's sensors, by one connection of the loop's. On its loop.
class TopicSource final : public Source, public std::enable_shared_from_this<TopicSource> {
 public:
  TopicSource(Loop& loop, std::shared_ptr<const Settings> settings);
  ~TopicSource() override;

  Answer<std::vector<SensorInfo>> list(Request request) override;
  Answer<Measurement> read(Request request, std::string sensor) override;
  Result<std::unique_ptr<Watching>> watch(std::string pattern, Taker taker) override;

 private:
  using Clock = Deadline::Clock;
  struct Last {
    Measurement measurement;
    Clock::time_point came{};
  };
  struct Reading;
  using Readings = std::list<std::unique_ptr<Reading>>;

  void listen();
  void came(const remote::mqtt::Publish& message);
  void take(Measurement measurement);
  void age();

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  // Shared with what it has under way; null before anybody asked.
  std::shared_ptr<remote::mqtt::Client> client_;
  std::string problem_;  // Why the server does not let it listen.
  std::map<std::string, Last, std::less<>> last_;
  Readings readings_;
  Watchers watchers_;
  Timer old_;
};

}  // namespace weft::sensor::mqtt
