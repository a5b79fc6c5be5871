#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/sensor/source.h"
#include "capabilities/sensor/watchers.h"
#include "capabilities/shared_by.h"
#include "io/pool.h"
#include "io/timer.h"

namespace weft::sensor {

// How often sensors are asked that are watched, unless the operator says otherwise.
inline constexpr std::chrono::milliseconds kEveryByDefault{1'000};
// Questions to sensors of one loop that are not answered yet.
inline constexpr std::size_t kAskedMax = 1'024;
// A sensor that does not answer for so long does not.
inline constexpr std::chrono::seconds kAskMax{10};
// Of all loops, for sensors that make who asks wait.
inline constexpr std::size_t kProbeThreads = 2;

// Sensors that speak when they are asked. From any thread.
class Probe {
 public:
  virtual ~Probe() = default;
  // kSensorsMax at most, in order.
  virtual Result<std::vector<SensorInfo>> list() = 0;
  // kNotFound, or kUnavailable: it is there and says nothing.
  virtual Result<Measurement> read(const std::string& sensor) = 0;

  struct Reading {
    SensorInfo sensor;
    Result<Measurement> said;
  };
  using Wants = std::function<bool(std::string_view sensor)>;
  // Those that are wanted, and what each says now: a round. What is to be looked for is looked for
  // once, where a probe does better than to list them and to read each.
  virtual Result<std::vector<Reading>> readings(const Wants& wants);
};

// The sensors of a probe, which is asked in rounds while anybody watches, and not otherwise. A
// round that takes longer than the time between two has the next one come later. On one loop.
class PolledSource final : public Source, public std::enable_shared_from_this<PolledSource> {
 public:
  // `pool` is where the probe may block; null: it answers at once, on the loop.
  PolledSource(Loop& loop, std::shared_ptr<Probe> probe, std::chrono::milliseconds every,
               Pool* pool);

  Answer<std::vector<SensorInfo>> list(Request request) override;
  Answer<Measurement> read(Request request, std::string sensor) override;
  Result<std::unique_ptr<Watching>> watch(std::string pattern, Taker taker) override;

 private:
  template <class T>
  struct Asked;
  using Readings = std::vector<Probe::Reading>;
  template <class T>
  Answer<T> ask(Deadline deadline, std::move_only_function<Result<T>()> question);

  void begin();
  void told(Result<Readings> round);
  void rest();

  Loop& loop_;
  const std::shared_ptr<Probe> probe_;  // Shared with what is under way, and the other loops.
  const std::chrono::milliseconds every_;
  Pool* const pool_;
  Watchers watchers_;
  bool asking_ = false;
  std::map<std::string, SensorInfo> seen_;  // In the last round, of those that are watched.
  std::size_t asked_ = 0;
  Timer next_;
};

// What is behind a driver that has a probe.
class PolledBackend final : public Backend {
 public:
  // The probe is asked on threads of its own where it `blocks`.
  enum class Speed : std::uint8_t { kAtOnce, kBlocks };
  PolledBackend(std::shared_ptr<Probe> probe, std::chrono::milliseconds every, Speed speed);

  Result<void> open() override { return {}; }
  void reach(Loop& loop, Deadline deadline, Reached done) override;
  std::shared_ptr<Source> source(Loop& loop) override;

 private:
  const std::shared_ptr<Probe> probe_;  // Shared with the sources.
  const std::chrono::milliseconds every_;
  std::unique_ptr<Pool> pool_;
  PerLoop<PolledSource> sources_;
};

}  // namespace weft::sensor
