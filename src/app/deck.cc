#include "app/deck.h"

#include <algorithm>
#include <utility>

namespace weft {

Deck::Deck(std::shared_ptr<const Edition> edition, EngineLoop& engine, Pool& pool, AccessLog* log,
           LoopObserver* observer, Deployments::Shared shared)
    : edition_(std::move(edition)),
      deployments_(edition_->plans(), engine, observer, shared),
      calls_(*edition_, deployments_, engine.loop()),
      observer_(observer) {
  for (std::size_t i = 0; i < edition_->plans().size(); ++i) {
    const Plan& plan = *edition_->plans()[i];
    // A component that no route leads to has nobody to make requests of it.
    handlers_.push_back(plan.serves_http() ? HttpCalls::make(deployments_[i], plan.info().kind)
                                           : nullptr);
  }
  if (edition_->routes() == nullptr) {
    const Plan::Component& component = edition_->plans()[0]->component();
    if (observer_ != nullptr) {
      alone_ = &observer_->metrics().route(component.app, component.name, "/...");
    }
    return;
  }
  std::vector<RouterHandler::Target> targets;
  for (const Edition::Target& target : edition_->targets()) {
    HttpHandler* handler = target.files != nullptr ? nullptr : handlers_[target.component].get();
    if (target.files != nullptr) {
      files_.push_back(std::make_unique<StaticHandler>(pool, target.files, target.route));
      handler = files_.back().get();
    }
    CHECK(handler != nullptr);
    targets.push_back({target.route, target.name, handler, target.app});
  }
  router_ = std::make_unique<RouterHandler>(edition_->routes(), std::move(targets), log, observer);
}

// What still sends breaks off first, and tells the router that it is complete.
Deck::~Deck() {
  handlers_.clear();
  files_.clear();
}

void Deck::handle(HttpExchange::Ptr exchange) {
  if (router_ != nullptr) return router_->handle(std::move(exchange));
  if (observer_ != nullptr) observer_->begin(*exchange, *alone_);
  handlers_[0]->handle(std::move(exchange));
}

bool Deck::wind_down() {
  if (router_ != nullptr && router_->in_flight() > 0) return false;
  bool busy = std::ranges::any_of(handlers_, [](const auto& handler) {
    return handler != nullptr && handler->in_flight() > 0;
  });
  if (busy || !calls_.idle()) return false;
  // Instances that are kept for use again go with their handler.
  handlers_.clear();
  return deployments_.wind_down();
}

}  // namespace weft
