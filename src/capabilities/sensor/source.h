#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "capabilities/driver_backend.h"
#include "capabilities/sensor/measurement.h"
#include "door/answer.h"

// What a driver of sensors implements. The README says what each promises; the conformance suite
// holds every driver to it.
namespace weft::sensor {

// Who watches the sensors of one space on one loop.
inline constexpr std::size_t kWatchersMax = 4'096;

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

// Its end is the end of a watch; also inside a call of the taker.
class Watching {
 public:
  virtual ~Watching() = default;
};

// The sensors of a space, as one loop reaches them: shared by the loop's components. Never blocks
// the loop.
class Source {
 public:
  using Taker = std::function<void(const Measurement&)>;

  virtual ~Source() = default;
  // By name. kUnavailable: what knows of them does not answer now.
  virtual Answer<std::vector<SensorInfo>> list(Request request) = 0;
  // kNotFound: there is no such sensor. kUnavailable, kTimeout: it does not answer now.
  virtual Answer<Measurement> read(Request request, std::string sensor) = 0;
  // Calls the taker with what comes of the sensors of a pattern, of each in the order of time, from
  // the loop and never inside this call. A sensor that goes is told of once, as kBad. kLimit.
  virtual Result<std::unique_ptr<Watching>> watch(std::string pattern, Taker taker) = 0;
};

// Where sensors are: one for the process, a source of it for each loop.
class Backend : public DriverBackend {
 public:
  // On any loop's thread, when it is open. The same while somebody has it.
  virtual std::shared_ptr<Source> source(Loop& loop) = 0;
};

}  // namespace weft::sensor
