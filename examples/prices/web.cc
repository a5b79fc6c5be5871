// GET /?item=apple&count=3 asks another component for a price.

#include "guest.hpp"
#include "weft/http.h"

namespace quotes = weft::wit::acme::prices_1_0_0::quotes;

weft::Task<> weft::http::handle(Request request) {
  quotes::Item item{.name = request.parameter("item").value_or("apple"),
                    .count = static_cast<std::uint32_t>(std::strtoul(
                        request.parameter("count").value_or("1").c_str(), nullptr, 10))};
  auto quote = quotes::ask({{item}});
  if (!quote) co_return co_await reply(422, "no price for that\n");
  co_await reply(200, std::to_string(quote->total_cents) + " cents, " +
                          std::to_string(quote->discount_percent) + " % off\n");
}
