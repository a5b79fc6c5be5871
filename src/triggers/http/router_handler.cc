#include "triggers/http/router_handler.h"

#include <array>
#include <utility>

#include "base/check.h"

namespace weft {

RouterHandler::RouterHandler(std::shared_ptr<const RouteTable> table, std::vector<Target> targets,
                             AccessLog* log, LoopObserver* observer)
    : table_(std::move(table)), log_(log), observer_(observer) {
  for (Target& target : targets) {
    served_.push_back(std::make_unique<Served>(*this, std::move(target)));
  }
  if (observer_ == nullptr) return;
  unrouted_ = &observer_->metrics().route("", "", "");
  for (const auto& served : served_) {
    const Target& target = served->target;
    served->meter = &observer_->metrics().route(target.app, target.component, target.route);
  }
}

void RouterHandler::handle(HttpExchange::Ptr exchange) {
  ++in_flight_;
  const RequestHead& request = exchange->request();
  RouteMatch match = table_->find(request.authority, request.path, request.method);
  if (auto* found = std::get_if<RouteFound>(&match)) {
    CHECK(found->index < served_.size());
    Served& served = *served_[found->index];
    exchange->completes_to = &served;
    if (observer_ != nullptr) observer_->begin(*exchange, *served.meter);
    return served.target.handler->handle(std::move(exchange));
  }
  exchange->completes_to = this;
  exchange->id = ids_.next();
  if (observer_ != nullptr) observer_->begin(*exchange, *unrouted_);
  if (auto* refused = std::get_if<RouteMethodNotAllowed>(&match)) {
    return answer(*exchange, 405, "Method Not Allowed\n", refused->allow);
  }
  answer(*exchange, 404, "Not Found\n", {});
}

void RouterHandler::answer(HttpExchange& exchange, int status, std::string_view reason,
                           std::string_view allow) {
  std::array<Header, 2> headers{{{"content-type", "text/plain; charset=utf-8"}, {"allow", allow}}};
  std::size_t count = allow.empty() ? 1 : 2;
  if (!exchange.begin_response(status, std::span(headers).first(count), reason.size())) return;
  exchange.write(as_bytes(reason));
  exchange.finish();
}

void RouterHandler::on_complete(const ExchangeSummary& summary) {
  completed(summary, {});
}

void RouterHandler::Served::on_complete(const ExchangeSummary& summary) {
  target.handler->on_complete(summary);
  router.completed(summary, {target.route, target.component});
}

void RouterHandler::completed(const ExchangeSummary& summary, const AccessLabel& label) {
  if (log_ != nullptr) log_->add(summary, label);
  if (observer_ != nullptr) observer_->end(summary);
  --in_flight_;
}

}  // namespace weft
