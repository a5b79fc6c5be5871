#include "node/discovery/datagram.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::node::discovery {
namespace {

constexpr std::string_view kQuery = "weft?\x01";

}  // namespace

std::string UdpEndpoint::text() const {
  if (address.is_v4()) return fmt::format("{}:{}", address.text(), port);
  if (scope == 0) return fmt::format("[{}]:{}", address.text(), port);
  return fmt::format("[{}%{}]:{}", address.text(), scope, port);
}

Moment Moment::now() {
  return {Deadline::Clock::now(), unix_now()};
}

Bytes query_datagram() {
  Bytes query = to_bytes(kQuery);
  query.resize(kQueryBytes);
  return query;
}

bool is_query(BytesView datagram) {
  return datagram.size() >= kQueryBytes && as_text(datagram).starts_with(kQuery);
}

}  // namespace weft::node::discovery
