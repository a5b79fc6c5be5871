#pragma once

#include <memory>

#include "io/gate.h"
#include "io/http/exchange.h"
#include "io/task.h"
#include "node/wire/node_api.h"

namespace weft::node::wire {

// What may still come of a body that was begun, and what a client may leave untaken: the HTTP
// limits of the server bound both in time.
//
// Serves the protocol on one loop. Made and destroyed there, after the server is gone and `idle`.
class NodeHandler final : public HttpHandler {
 public:
  NodeHandler(Loop& loop, NodeApi& api) : loop_(loop), api_(api) {}
  ~NodeHandler() override;

  void handle(HttpExchange::Ptr exchange) override;
  // Exchanges under way.
  std::size_t serving() const { return gate_.inside(); }
  Gate& gate() { return gate_; }

 private:
  Task<void> serve(HttpExchange::Ptr exchange, Gate::Pass pass);

  Loop& loop_;
  NodeApi& api_;
  Gate gate_;
};

}  // namespace weft::node::wire
