// A page that counts its visitors. The count is under the key "visits" of the default store.

#include <string>

#include "weft/http.h"
#include "weft/keyvalue.h"

namespace {

std::string page(const weft::Result<std::uint64_t>& visits) {
  std::string count = visits ? "This page was served " + std::to_string(*visits) + " times."
                             : "The counter is out of order.";
  return "<!doctype html>\n"
         "<title>hello from weft</title>\n"
         "<h1>Hello from a component</h1>\n"
         "<p>" +
         count + " The count survives a restart.</p>\n";
}

}  // namespace

void weft::http::handle(Request& request, Out out) {
  if (request.path() != "/") return reply(out, 404, "there is only /\n");
  auto store = keyvalue::open();
  auto visits = store ? store->increment("visits") : std::unexpected(store.error());
  reply(out, 200, page(visits), "text/html; charset=utf-8");
}
