#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <random>

#include "door/call.h"
#include "door/link_notes.h"
#include "io/timer.h"

namespace weft {

// How many of a link's calls may be tried again, so that retries do not bring down what is slow
// already: a share of all calls, and a few a second for links that are used little.
class RetryBudget {
 public:
  using Time = Deadline::Clock::time_point;
  // A call allows for so much of a retry.
  static constexpr double kShare = 0.2;
  static constexpr double kPerSecond = 10;
  // What may be saved: up to this much from calls, from time alone only a second's.
  static constexpr double kSavedMax = 100;

  explicit RetryBudget(Time now) : last_(now) {}

  void called() { saved_ = std::min(saved_ + kShare, kSavedMax); }
  // Whether there is one left, which is taken.
  bool take(Time now);

 private:
  double saved_ = kPerSecond;
  Time last_;
};

// Tries calls again that failed without an answer: when what serves them could not be reached or
// went away, or did not answer in time while the call itself has time left. Waits before each
// attempt, twice as long as before the last, half of it by chance; where the wait would not end
// before the call's deadline, it fails at once.
//
// Only for functions that may run more than once, and whose arguments name nothing: they are kept.
class RetryLayer final : public Layer {
 public:
  struct Rules {
    unsigned attempts = 3;  // With the first.
    std::chrono::nanoseconds wait = std::chrono::milliseconds(50);
  };
  static constexpr unsigned kAttemptsMax = 10;
  static constexpr std::chrono::seconds kWaitMax{10};
  // Calls of one loop that wait for their next attempt; more fail as they are.
  static constexpr std::size_t kWaitingMax = 1024;

  // `seed` of the chance. `notes` may be null. On the loop whose calls it sees.
  RetryLayer(Loop& loop, Rules rules, std::uint64_t seed, LinkNotes* notes);
  ~RetryLayer() override;

  Flow before(Call& call, State& state) override;
  Flow after(Call& call, State& state) override;

  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Wait;

  std::chrono::nanoseconds wait_before(std::uint64_t attempt);
  void hold(Call& call, Deadline until);
  Call& take(Wait& wait);

  Loop& loop_;
  const Rules rules_;
  std::minstd_rand chance_;
  LinkNotes* notes_;
  RetryBudget budget_;
  std::list<Wait> waiting_;
  std::list<Wait> free_;
};

}  // namespace weft
