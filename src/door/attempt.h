#pragma once

#include <chrono>
#include <list>

#include "door/call.h"

namespace weft {

// Passes calls of one function on to what serves it, each with so much time of its own: what a call
// has beyond that is left for another attempt. The call passed on is one of its own, because a
// call's deadline cannot be moved back; its reply is copied.
//
// Only for functions without handles, streams or futures. On one loop.
class AttemptProvider final : public Provider {
 public:
  // `serving` outlives it, and it the instances that call.
  AttemptProvider(const Function& function, Provider& serving, std::chrono::nanoseconds most)
      : link_(function, serving), most_(most) {}

  void begin(Call& call, Completion done) override;

 private:
  struct Attempt final : public Caller {
    explicit Attempt(AttemptProvider& its_owner) : owner(its_owner) {}
    void completed(Call& finished) override;
    void give_up();

    AttemptProvider& owner;
    Call* inner = nullptr;
    Completion done;
    std::list<Attempt>::iterator place;
  };

  static void pass_on(Call& inner, Completion done);

  Link link_;
  const std::chrono::nanoseconds most_;
  CallPool pool_;
  std::list<Attempt> attempts_;
};

}  // namespace weft
