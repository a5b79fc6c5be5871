#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <string>

#include "node/discovery/datagram.h"
#include "node/discovery/source_limits.h"
#include "node/object/beacon.h"

namespace weft::node::discovery {

inline constexpr std::chrono::milliseconds kBeaconEvery{1'000};
// Either way, by chance, so that nodes that started together drift apart.
inline constexpr std::chrono::milliseconds kBeaconJitter{100};
// At start: so many, so far apart, each within its jitter.
inline constexpr int kBurstBeacons = 4;
inline constexpr std::chrono::milliseconds kBurstEvery{220};
inline constexpr std::chrono::milliseconds kBurstJitter{60};
// Changes are told not more often than this.
inline constexpr std::chrono::milliseconds kChangeGap{100};
// The last beacon is sent so many times: nobody asks for it again.
inline constexpr int kLeaveRepeats = 3;
// A query that came to the group is answered within this time, by chance: all nodes hear it.
inline constexpr std::chrono::milliseconds kAnswerSpread{100};
inline constexpr std::size_t kAnswersWaitingMax = 1'024;
// Of one address, behind which there may be several who ask, and of all together.
inline constexpr Rate kAnswerRatePerSource{.per_second = 16, .burst = 32};
inline constexpr Rate kAnswerRate{.per_second = 512, .burst = 1'024};
inline constexpr std::size_t kAskersMax = 4'096;

// When a node says that it is there, and to whom it answers. Pure, as Neighbours is. One thread;
// its owner calls `due` and `answer` at `next`, until they have nothing more.
class BeaconSender {
 public:
  using Time = Deadline::Clock::time_point;

  struct Options {
    // Name, boot, port, catalogue and offers; sequence and time are the sender's.
    Beacon beacon = {};
    std::function<Bytes(const Beacon&)> sign = {};
    std::uint64_t seed = 0;  // Of its chance.
  };
  struct Answer {
    UdpEndpoint to;
    BytesView beacon;  // Until the next call.
  };

  BeaconSender(Options options, Time start);

  // When there is something to send.
  Time next() const;
  // The beacon for all groups, where its time has come; until the next call.
  std::optional<BytesView> due(const Moment& now);
  // The next answer whose time has come.
  std::optional<Answer> answer(const Moment& now);

  // A query of `bytes` came. Answered unless its source asks too often, or all do.
  void asked(std::size_t bytes, const UdpEndpoint& from, Arrival arrival, Time now);

  // What the node offers is another: told soon.
  void change(const Hash& catalogue, std::string offers, Time now);
  // The last beacon, to be sent kLeaveRepeats times; nothing is due any more.
  BytesView leave(const Moment& now);

  const Beacon& beacon() const { return beacon_; }

 private:
  struct Waiting {
    Time at;
    UdpEndpoint to;
    std::size_t bytes;
  };
  std::chrono::microseconds chance(std::chrono::microseconds most);

  void sign(const Moment& now);

  Beacon beacon_;
  std::function<Bytes(const Beacon&)> sign_;
  std::mt19937_64 random_;
  Bytes signed_;  // The last that was sent.
  Time start_;
  Time next_;
  Time last_;
  int burst_left_ = kBurstBeacons;
  std::deque<Waiting> waiting_;  // The first is the next.
  SourceLimits sources_;
  RateBucket all_;
};

}  // namespace weft::node::discovery
