#include "node/wire/serving.h"

#include <boost/json.hpp>

namespace weft::node::wire {

void Serving::answer(int status, std::string_view type, BytesView body) {
  const Header headers[] = {{"content-type", type}, {"cache-control", "no-store"}};
  if (!exchange_->begin_response(status, headers, body.size())) return;
  exchange_->write(body);
  exchange_->finish();
}

void Serving::refuse(const Refusal& refusal) {
  boost::json::object said{{"error", refusal.error}, {"message", refusal.message}};
  answer(static_cast<int>(refusal.status), "application/json",
         as_bytes(boost::json::serialize(said)));
}

}  // namespace weft::node::wire
