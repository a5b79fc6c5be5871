// Carts: POST /cart/NAME/ITEM puts one more of the item into the cart NAME and says how many there
// are; GET /cart/NAME/ITEM says it without putting one in. Kept under the name "carts".

#include <string>

#include "weft/http.h"
#include "weft/keyvalue.h"

void weft::http::handle(Request& request, Out out) {
  std::uint64_t more = request.method() == "POST" ? 1 : 0;
  std::string_view key = request.path();
  key.remove_prefix(std::string_view("/cart/").size());
  auto carts = keyvalue::open("carts");
  auto sum = carts ? carts->increment(key, more) : std::unexpected(carts.error());
  if (!sum) return reply(out, 503, "the carts are out of order: " + sum.error().message + "\n");
  reply(out, 200, std::to_string(*sum) + "\n");
}
