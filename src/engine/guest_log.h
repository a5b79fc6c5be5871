#pragma once

#include <cstdint>
#include <string_view>

#include "base/record_gate.h"
#include "io/timer.h"

namespace weft {

struct Deployment;

// What the guests of one deployment print: a line of the host's log each, at a bounded rate. What
// is dropped is counted, and told a second later.
//
// A part of the deployment.
class GuestLog {
 public:
  explicit GuestLog(const Deployment& deployment);
  ~GuestLog() { tell_dropped(); }

  // `request` is the number of the one that it is printed for; 0: it is not known.
  void write(std::string_view line, std::uint64_t request);

 private:
  void tell_dropped();

  const Deployment& deployment_;
  RecordGate gate_;
  Timer dropped_;
};

}  // namespace weft
