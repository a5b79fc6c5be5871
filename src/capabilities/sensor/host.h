#pragma once

#include <memory>
#include <string_view>

#include "capabilities/capability.h"
#include "capabilities/sensor/feed.h"
#include "wit/weft/sensor_0_1_0/types.h"

// What the host classes have in common.
namespace weft::sensor {

namespace types = ::weft::wit::weft::sensor_0_1_0::types;
template <class T>
using Or = std::expected<T, types::Error>;

// The spaces of one component on one loop, each opened when it is asked for first.
class Spaces {
 public:
  virtual ~Spaces() = default;
  // kDenied for one that is not granted. Holds as long as these do.
  virtual Result<Source*> find(std::string_view space) = 0;

  // Shared with the component's feeds.
  const std::shared_ptr<Room> room = std::make_shared<Room>();
};

types::Error failure_of(const Error& error);
types::Measurement measurement_of(Measurement measurement);
Policy policy_of(const types::Policy& policy);

// What both interfaces do in the same way.
Answer<Or<std::vector<types::Sensor>>> list_of(Spaces& spaces, Call& call,
                                               std::string_view pattern);
Answer<Or<types::Measurement>> read_of(Spaces& spaces, Call& call, std::string_view name);
Result<std::unique_ptr<Feed>> feed_of(Spaces& spaces, Call& call, std::string_view pattern,
                                      const types::Policy& policy, std::function<void()> news);

// The providers of one interface each, as sensor.cc lists them.
std::unique_ptr<Provider> sensors_provider(std::unique_ptr<Spaces> spaces);
std::unique_ptr<Provider> async_sensors_provider(std::unique_ptr<Spaces> spaces);
std::unique_ptr<Provider> readiness_provider(std::unique_ptr<Spaces> spaces);

}  // namespace weft::sensor
