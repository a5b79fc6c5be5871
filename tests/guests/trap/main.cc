// /trap ends in `unreachable`, three functions deep, so that a report has something to name; /late
// does so after it has sent a part of its answer and read a part of the request's body.

#include "weft/http_p2.h"

namespace shop {

[[gnu::noinline]] void check_stock(int depth) {
  if (depth > 0) __builtin_trap();
}

[[gnu::noinline]] void place_order(int depth) {
  check_stock(depth);
  asm volatile("");
}

[[gnu::noinline]] void serve_customer(int depth) {
  place_order(depth);
  asm volatile("");
}

}  // namespace shop

void weft::http::handle(Request& request, Out out) {
  auto path = request.path();
  if (path == "/trap") shop::serve_customer(1);
  Response response(out, 200);
  response.write("so far so good\n");
  response.flush();
  if (path != "/late") return;
  request.read();
  shop::serve_customer(2);
}
