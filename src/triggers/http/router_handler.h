#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/id.h"
#include "io/http/exchange.h"
#include "observe/loop_observer.h"
#include "triggers/http/access_log.h"
#include "triggers/http/router.h"

namespace weft {

// Gives the requests of one loop to the handlers of their routes, and answers 404 and 405 itself.
//
// On its loop only. Outlives its exchanges: whoever puts another in its place keeps it until
// in_flight is 0.
class RouterHandler final : public HttpHandler {
 public:
  // What serves a route, in the order of the table's routes. The handler is not owned and outlives
  // this one.
  struct Target {
    std::string route;      // As it was written: "/cart/...". For the log.
    std::string component;  // The same.
    HttpHandler* handler;
    std::string app = {};  // For what is counted.
  };

  // The table is shared by all loops. `log` and `observer` may be null, and outlive it.
  RouterHandler(std::shared_ptr<const RouteTable> table, std::vector<Target> targets,
                AccessLog* log, LoopObserver* observer = nullptr);

  void handle(HttpExchange::Ptr exchange) override;
  void on_complete(const ExchangeSummary& summary) override;

  // Exchanges that were taken and are not complete.
  std::size_t in_flight() const { return in_flight_; }

 private:
  // Told of the completion of its route's exchanges.
  struct Served final : ExchangeObserver {
    Served(RouterHandler& its_router, Target its_target)
        : router(its_router), target(std::move(its_target)) {}
    void on_complete(const ExchangeSummary& summary) override;

    RouterHandler& router;
    Target target;
    RouteMeter* meter = nullptr;  // Where there is an observer.
  };

  void answer(HttpExchange& exchange, int status, std::string_view reason, std::string_view allow);
  void completed(const ExchangeSummary& summary, const AccessLabel& label);

  std::shared_ptr<const RouteTable> table_;  // Shared by the loops, which may swap it one by one.
  std::vector<std::unique_ptr<Served>> served_;
  AccessLog* log_;
  LoopObserver* observer_;
  RouteMeter* unrouted_ = nullptr;  // Of what no route takes.
  IdGenerator ids_;
  std::size_t in_flight_ = 0;
};

}  // namespace weft
