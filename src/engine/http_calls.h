#pragma once

#include <cstddef>
#include <memory>

#include "engine/deployment.h"
#include "io/http/exchange.h"

namespace weft {

// Serves the HTTP requests of one deployment on its loop. Everything is torn down with it: what was
// in flight is broken off.
class HttpCalls {
 public:
  // Fresh instances for a 0.2 program, reused ones for a 0.3 program. `deployment` outlives it.
  static std::unique_ptr<HttpCalls> make(Deployment& deployment, ProgramKind kind);

  virtual ~HttpCalls() = default;
  // Answers 503 by itself when the deployment's instances are all busy.
  virtual void start(HttpExchange::Ptr exchange) = 0;
  // Requests whose guest has not ended.
  virtual std::size_t in_flight() const = 0;
};

}  // namespace weft
