#include "app/deck.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weft {
namespace {

// Of what only events wake there is nothing to request.
void answer_nothing(HttpExchange& exchange) {
  constexpr std::string_view kText = "nothing here answers requests\n";
  constexpr std::array<Header, 1> kHeaders{{{"content-type", "text/plain; charset=utf-8"}}};
  if (!exchange.begin_response(404, kHeaders, kText.size())) return;
  exchange.write(as_bytes(kText));
  exchange.finish();
}

}  // namespace

Deck::Deck(std::shared_ptr<const Edition> edition, EngineLoop& engine, Pool& pool, AccessLog* log,
           LoopObserver* observer, Deployments::Shared shared, Seat seat)
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
  // One after the other, so that what wakes many components keeps all loops busy.
  for (std::size_t i = seat.loop; i < edition_->events().size(); i += seat.loops) {
    const Edition::Event& event = edition_->events()[i];
    wakers_.push_back({&event, std::make_unique<GuestCalls>(deployments_[event.component],
                                                            event.functions, event.calls)});
  }
  if (edition_->routes() == nullptr) {
    if (!edition_->events().empty()) return;
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

void Deck::begin_events() {
  for (Waker& waker : wakers_) {
    const Edition::Event& event = *waker.event;
    const Plan::Component& component = edition_->plans()[event.component]->component();
    TriggerMeter* meter = nullptr;
    if (observer_ != nullptr) {
      TriggerWords words = edition_->words(event);
      meter = &observer_->metrics().trigger(
          {component.app, component.name, event.trigger, words.on, words.group});
    }
    waker.subscription =
        event.capability->subscribe({.loop = deployments_[event.component].engine.loop(),
                                     .app = component.app,
                                     .component = component.name,
                                     .use = *event.use,
                                     .handler = *event.handler,
                                     .settings = event.settings,
                                     .calls = *waker.calls,
                                     .meter = meter});
  }
}

void Deck::stop_events() {
  for (Waker& waker : wakers_) {
    if (waker.subscription != nullptr) waker.subscription->stop();
  }
  calls_.end_endless();
}

// What still sends breaks off first, and tells the router that it is complete.
Deck::~Deck() {
  wakers_.clear();
  handlers_.clear();
  files_.clear();
}

void Deck::handle(HttpExchange::Ptr exchange) {
  if (router_ != nullptr) return router_->handle(std::move(exchange));
  if (!edition_->events().empty()) return answer_nothing(*exchange);
  if (observer_ != nullptr) observer_->begin(*exchange, *alone_);
  handlers_[0]->handle(std::move(exchange));
}

bool Deck::wind_down() {
  if (router_ != nullptr && router_->in_flight() > 0) return false;
  bool busy = std::ranges::any_of(handlers_, [](const auto& handler) {
    return handler != nullptr && handler->in_flight() > 0;
  });
  bool woken = std::ranges::any_of(wakers_, [](const Waker& waker) {
    return waker.subscription != nullptr && !waker.subscription->idle();
  });
  if (busy || woken || !calls_.idle()) return false;
  wakers_.clear();
  // Instances that are kept for use again go with their handler.
  handlers_.clear();
  return deployments_.wind_down();
}

}  // namespace weft
