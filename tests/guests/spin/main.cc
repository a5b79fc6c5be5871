// /spin never ends, /late sends a piece of its response and then never ends; anything else answers
// at once.

#include "weft/http_p2.h"

namespace {

[[noreturn]] void spin() {
  for (volatile std::uint64_t turns = 0;; turns = turns + 1) {
  }
}

}  // namespace

void weft::http::handle(Request& request, Out out) {
  if (request.path() == "/spin") spin();
  if (request.path() == "/late") {
    Response response(out, 200);
    response.write("one\n");
    response.flush();
    spin();
  }
  Response(out, 200).write("still here\n");
}
