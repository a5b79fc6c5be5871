#pragma once

#include <cstdint>
#include <memory>

#include "engine/deployment.h"
#include "engine/guest_run.h"

namespace weft {

// One instance of a component that serves one call of an export after the other, each as `GuestRun`
// does one: what the guest keeps in its memory is there in the next.
//
// A trap or a limit ends it with the call in it. On the deployment's loop, which outlives it;
// dropping it stops the guest at once.
class KeptGuest {
 public:
  static std::unique_ptr<KeptGuest> make(Deployment& deployment);
  virtual ~KeptGuest() = default;

  // Of an export whose results hold no streams and no futures. Not while another call is in it, nor
  // when it is over; from inside `done` of the one before it may be. `done` is called once, on the
  // loop, never from inside this.
  virtual void call(std::uint32_t function, GuestRun::Exchange exchange, GuestRun::Done done) = 0;
  // It takes no more calls: it has ended, which it may between two of them, it has had its share,
  // or its guest goes on by itself after a call has returned. From inside `done` the instance may
  // not be dropped.
  virtual bool over() const = 0;
};

}  // namespace weft
