// A page that counts its visitors, in WASI 0.2: one request at a time in an instance.

#include <string>

#include "weft/http.h"
#include "weft/keyvalue.h"

void weft::http::handle(Request& request, Out out) {
  if (request.path() != "/") return reply(out, 404, "there is only /\n");
  auto bucket = keyvalue::open("visits");
  auto visits = bucket ? bucket->increment("all") : std::unexpected(bucket.error());
  if (!visits) return reply(out, 500, visits.error().message + "\n");
  reply(out, 200, "Hello, visitor " + std::to_string(*visits) + "!\n");
}
