#pragma once

#include <cstddef>
#include <list>
#include <utility>

#include "base/deadline.h"
#include "io/task.h"
#include "remote/http/signal.h"

namespace weft::keyvalue::dynamodb {

// Requests that wait for a place on one loop.
inline constexpr std::size_t kWaitingMax = 65'536;

// How many requests of a loop are under way at once. The others wait in the order in which they
// came: here, and not for a connection, where a wait would look like a server that is gone.
//
// On its loop's thread. Outlives its places and whoever waits for one.
class Places {
 public:
  // Given back when it goes.
  class Place {
   public:
    Place(Place&& other) noexcept : places_(std::exchange(other.places_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (places_ != nullptr) places_->leave();
    }

   private:
    friend class Places;
    explicit Place(Places& places) : places_(&places) {}

    Places* places_;
  };

  Places(Loop& loop, std::size_t most) : loop_(loop), free_(most) {}
  Places(const Places&) = delete;

  // kTimeout at the deadline, and kLimit where too many wait already.
  Task<Place> take(Deadline deadline);

 private:
  struct Waiter {
    remote::Signal signal;
    bool has_place = false;
  };

  void leave();

  Loop& loop_;
  std::size_t free_;
  std::list<Waiter*> waiting_;
};

}  // namespace weft::keyvalue::dynamodb
