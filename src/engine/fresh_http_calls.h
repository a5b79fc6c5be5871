#pragma once

// For src/engine's own sources.

#include <list>
#include <memory>
#include <string>

#include "base/log.h"
#include "engine/http_calls.h"
#include "engine/notes.h"

namespace weft {

// A fresh instance for every request: what 0.2 programs get.
class FreshHttpCalls final : public HttpCalls {
 public:
  // Idle call objects kept for use again.
  static constexpr std::size_t kFreeMax = 256;

  explicit FreshHttpCalls(Deployment& deployment);
  ~FreshHttpCalls() override;

  void handle(HttpExchange::Ptr exchange) override;
  std::size_t in_flight() const override { return running_.size(); }

 private:
  class Running;
  // Outlives what is deferred to the end of the turn, in which the calls may go.
  struct Sweep {
    FreshHttpCalls* calls;
  };

  void retire(Running& running);
  void recycle();

  Deployment& deployment_;
  std::shared_ptr<Sweep> sweep_;  // Shared with the deferred recycle.
  std::list<std::unique_ptr<Running>> running_;
  std::list<std::unique_ptr<Running>> ended_;  // Until the end of this turn.
  std::list<std::unique_ptr<Running>> free_;
};

std::unique_ptr<HttpCalls> make_reused_http_calls(Deployment& deployment);
// Logs what ended the guest of a request, unless it ended well, and notes it; `which` says of which
// request in the log, `request` among the last traps. Gives the status to answer with: 503 for what
// another try may get through.
std::uint16_t report(Deployment& deployment, const RunOutcome& outcome, const LogField& which,
                     std::string_view request);
void refuse_busy(HttpExchange::Ptr exchange);
// What is passed on with the request's trace.
std::string trace_state_of(const HttpExchange& exchange);

}  // namespace weft
