#include "node/wire/serving.h"

#include <boost/json.hpp>
#include <span>
#include <string>

namespace weft::node::wire {

void Serving::answer(int status, std::string_view type, BytesView body,
                     std::chrono::seconds again) {
  std::string after = std::to_string(again.count());
  const Header headers[] = {
      {"content-type", type}, {"cache-control", "no-store"}, {"retry-after", after}};
  auto sent = std::span(headers).first(again.count() > 0 ? 3 : 2);
  if (!exchange_->begin_response(status, sent, body.size())) return;
  exchange_->write(body);
  exchange_->finish();
}

void Serving::refuse(const Refusal& refusal) {
  boost::json::object said{{"error", refusal.error}, {"message", refusal.message}};
  answer(static_cast<int>(refusal.status), "application/json",
         as_bytes(boost::json::serialize(said)),
         std::chrono::ceil<std::chrono::seconds>(refusal.again));
}

}  // namespace weft::node::wire
