// A page that counts its visitors, in WASI 0.3: a coroutine a request.

#include <string>

#include "weft/http.h"
#include "weft/keyvalue.h"

weft::Task<> weft::http::handle(Request request) {
  if (request.path() != "/") co_return co_await reply(404, "there is only /\n");
  auto bucket = keyvalue::open("visits");
  auto visits = bucket ? bucket->increment("all") : std::unexpected(bucket.error());
  if (!visits) co_return co_await reply(500, visits.error().message + "\n");
  co_await reply(200, "Hello, visitor " + std::to_string(*visits) + "!\n");
}
