#pragma once

#include <cstddef>
#include <memory>

#include "engine/deployment.h"
#include "io/http/exchange.h"

namespace weft {

// Serves the HTTP requests of one deployment on its loop; answers 503 by itself when the
// deployment's instances are all busy. Everything is torn down with it: what was in flight is
// broken off.
class HttpCalls : public HttpHandler {
 public:
  // Fresh instances for a 0.2 program, reused ones for a 0.3 program. `deployment` outlives it.
  static std::unique_ptr<HttpCalls> make(Deployment& deployment, ProgramKind kind);

  // Guests at work, also those whose response is out.
  virtual std::size_t in_flight() const = 0;
};

}  // namespace weft
