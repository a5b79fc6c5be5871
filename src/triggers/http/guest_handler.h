#pragma once

#include <memory>

#include "engine/http_calls.h"
#include "io/http/exchange.h"
#include "triggers/http/access_log.h"

namespace weft {

// Serves the requests of one loop with one deployment's guest.
class GuestHandler final : public HttpHandler {
 public:
  // `log` is null where a router before it logs. Both outlive the handler.
  GuestHandler(Deployment& deployment, ProgramKind kind, AccessLog* log)
      : calls_(HttpCalls::make(deployment, kind)), log_(log) {}

  void handle(HttpExchange::Ptr exchange) override { calls_->start(std::move(exchange)); }
  void on_complete(const ExchangeSummary& summary) override;

  // Guests at work, also those whose response is out.
  std::size_t in_flight() const { return calls_->in_flight(); }

 private:
  std::unique_ptr<HttpCalls> calls_;
  AccessLog* log_;
};

}  // namespace weft
