#pragma once

#include <memory>
#include <vector>

#include "app/deployments.h"
#include "app/edition.h"
#include "app/live_calls.h"
#include "engine/http_calls.h"
#include "triggers/event/guest_calls.h"
#include "triggers/http/router_handler.h"

namespace weft {

// An edition on one loop: its plans deployed there, and the guests that serve its requests.
//
// Made, used and destroyed on the loop's thread.
class Deck {
 public:
  // Which of the loops it is on.
  struct Seat {
    std::size_t loop = 0;
    std::size_t loops = 1;
  };

  // Files are read on `pool`; `log` and `observer` may be null. All outlive it. One loop's deck is
  // the home of the shared components.
  Deck(std::shared_ptr<const Edition> edition, EngineLoop& engine, Pool& pool, AccessLog* log,
       LoopObserver* observer, Deployments::Shared shared, Seat seat);
  Deck(const Deck&) = delete;
  ~Deck();

  // Hands the request to what its route leads to; a router answers 404 and 405 by itself.
  void handle(HttpExchange::Ptr exchange);

  // Calls that are asked for at the admin address.
  LiveCalls& calls() { return calls_; }

  // From when it takes over until another does: events wake its components.
  void begin_events();
  void stop_events();

  // For a deck that gets no more requests: lets go of what it needs no more, and returns whether
  // that is everything, so that it can be destroyed without breaking anything off.
  bool wind_down();
  const std::shared_ptr<const Edition>& edition() const { return edition_; }

 private:
  // One trigger of this loop's.
  struct Waker {
    const Edition::Event* event;
    std::unique_ptr<GuestCalls> calls;
    std::unique_ptr<Subscription> subscription = nullptr;  // Gone before the calls.
  };

  std::shared_ptr<const Edition> edition_;  // Shared with the other loops' decks.
  Deployments deployments_;
  LiveCalls calls_;
  std::vector<Waker> wakers_;
  std::vector<std::unique_ptr<HttpCalls>> handlers_;
  std::vector<std::unique_ptr<StaticHandler>> files_;
  std::unique_ptr<RouterHandler> router_;  // Null where everything goes to the one component.
  LoopObserver* observer_;
  RouteMeter* alone_ = nullptr;  // Of that one component.
};

}  // namespace weft
