// /spin never ends; anything else answers at once.

#include "weft/http_p2.h"

void weft::http::handle(Request& request, Out out) {
  if (request.path() == "/spin") {
    for (volatile std::uint64_t turns = 0;; turns = turns + 1) {
    }
  }
  Response(out, 200).write("still here\n");
}
