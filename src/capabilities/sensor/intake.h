#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "capabilities/sensor/measurement.h"

namespace weft::sensor {

// Of `all`: how many wait, and how many where nothing is said.
inline constexpr std::size_t kAllMax = 10'000;
inline constexpr std::chrono::nanoseconds kSampleLeast = std::chrono::milliseconds(10);
inline constexpr std::chrono::nanoseconds kSampleMost = std::chrono::hours(1);

// What becomes of measurements that come faster than they are taken: see wit/sensor.
struct Policy {
  enum class Kind : std::uint8_t { kLatest, kAll, kSample };
  Kind kind = Kind::kLatest;
  std::size_t most = kAllMax;         // Of kAll.
  std::chrono::nanoseconds every{0};  // Of kSample.

  friend bool operator==(const Policy&, const Policy&) = default;
};

Result<void> check_policy(const Policy& policy);
// As weft.toml has it: "latest", "all", "all 500", "sample 10s".
Result<Policy> read_policy(std::string_view text);

// What waits in all intakes of one component on one loop, by `all`, and how much that may be: who
// takes nothing has them full, and there may be many of them. On that loop.
struct Room {
  static constexpr std::size_t kWaitingMax = 200'000;
  std::size_t waiting = 0;
};

// What waits for one who takes it, by its policy: never more than that says, and where there is no
// room no more than is there already.
class Intake {
 public:
  using Time = Deadline::Clock::time_point;

  // `room` is shared with the component's other intakes; null: it has its own.
  explicit Intake(Policy policy, std::shared_ptr<Room> room = nullptr)
      : policy_(policy), room_(room != nullptr ? std::move(room) : std::make_shared<Room>()) {}
  Intake(const Intake&) = delete;
  ~Intake() { room_->waiting -= all_.size(); }

  void put(Measurement measurement);
  // The oldest that may be taken by now; none where there is none.
  std::vector<Measurement> take(std::size_t most, Time now);
  // From when on something may be taken; nothing: nothing waits.
  std::optional<Time> due() const;
  std::size_t size() const;

 private:
  const Policy policy_;
  const std::shared_ptr<Room> room_;
  // Of kAll; and of each sensor, how many were left out since one of it was taken.
  std::deque<Measurement> all_;
  std::map<std::string, std::uint64_t, std::less<>> missed_;
  // Of the others: the newest of each sensor, those that may be taken, and those that may when the
  // gate opens.
  std::map<std::string, Measurement, std::less<>> newest_;
  std::deque<std::string> ready_;
  std::deque<std::string> behind_;
  Time gate_ = Time::min();
};

}  // namespace weft::sensor
