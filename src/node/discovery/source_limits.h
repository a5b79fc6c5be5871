#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "base/deadline.h"
#include "base/net_address.h"
#include "node/object/key.h"

namespace weft::node::discovery {

// So many at once, and so many a second from then on.
struct Rate {
  double per_second = 0;
  double burst = 0;
};

// What is left of a rate. A value; time is given.
class RateBucket {
 public:
  using Time = Deadline::Clock::time_point;

  RateBucket(const Rate& rate, Time now) : left_(rate.burst), at_(now) {}

  // Whether one more is within the rate; it is counted if so.
  bool take(const Rate& rate, Time now);

 private:
  double left_;
  Time at_;
};

// For maps whose keys strangers choose: by chance, so that nobody can make them collide.
class SeededHash {
 public:
  SeededHash();
  std::size_t operator()(const IpAddress& address) const;
  std::size_t operator()(const PublicKey& key) const;

 private:
  std::size_t hash(BytesView bytes) const;
  std::array<std::uint8_t, 16> seed_;
};

// A rate for each source address, for the `sources_max` that were heard last: who is forgotten
// begins anew, which only somebody with more addresses than that can make happen, and a rate of all
// together has to bound. One thread.
class SourceLimits {
 public:
  using Time = RateBucket::Time;

  SourceLimits(Rate each, std::size_t sources_max) : each_(each), sources_max_(sources_max) {}

  // Whether one more of `source` is within its rate.
  bool take(const IpAddress& source, Time now);
  std::size_t size() const { return sources_.size(); }

 private:
  struct Source {
    IpAddress address;
    RateBucket bucket;
  };
  Rate each_;
  std::size_t sources_max_;
  std::list<Source> order_;  // The one heard last at the end.
  std::unordered_map<IpAddress, std::list<Source>::iterator, SeededHash> sources_;
};

}  // namespace weft::node::discovery
