#include "app/deck.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weft {
namespace {

void answer(HttpExchange& exchange, int status, std::string_view body,
            std::optional<Header> more = std::nullopt) {
  std::vector<Header> headers{{"content-type", "text/plain"}};
  if (more) headers.push_back(*more);
  if (!exchange.begin_response(status, headers, body.size())) return;
  exchange.write(as_bytes(body));
  exchange.finish();
}

}  // namespace

Deck::Deck(std::shared_ptr<const Edition> edition, EngineLoop& engine)
    : edition_(std::move(edition)) {
  for (const auto& plan : edition_->plans()) {
    deployments_.push_back(plan->deploy(engine));
    // A component that no route leads to has nobody to make requests of it.
    handlers_.push_back(plan->serves_http() ? std::make_unique<GuestHandler>(
                                                  *deployments_.back(), plan->info().kind, nullptr)
                                            : nullptr);
  }
}

Deck::~Deck() {
  handlers_.clear();
}

void Deck::handle(HttpExchange::Ptr exchange) {
  const auto& routes = edition_->routes();
  if (routes == nullptr) return handlers_[0]->handle(std::move(exchange));
  const RequestHead& head = exchange->request();
  RouteMatch match = routes->find(head.authority, head.path, head.method);
  if (const auto* found = std::get_if<RouteFound>(&match)) {
    const Edition::Target& target = edition_->targets()[found->index];
    return handlers_[target.component]->handle(std::move(exchange));
  }
  if (const auto* refused = std::get_if<RouteMethodNotAllowed>(&match)) {
    return answer(*exchange, 405, "Method Not Allowed\n", Header{"allow", refused->allow});
  }
  answer(*exchange, 404, "Not Found\n");
}

bool Deck::wind_down() {
  bool busy = std::ranges::any_of(handlers_, [](const auto& handler) {
    return handler != nullptr && handler->in_flight() > 0;
  });
  if (busy) return false;
  // Instances that are kept for use again go with their handler.
  handlers_.clear();
  return std::ranges::all_of(deployments_,
                             [](const auto& deployment) { return deployment->contexts == 0; });
}

}  // namespace weft
