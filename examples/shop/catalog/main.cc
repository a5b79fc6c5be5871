// What the shop sells, with prices in the currency that it was configured with.

#include <string>

#include "weft/config.h"
#include "weft/http.h"

void weft::http::handle(Request&, Out out) {
  std::string currency = config::get_or("currency", "(no currency)");
  reply(out, 200, "apple 2 " + currency + "\npear 3 " + currency + "\n");
}
