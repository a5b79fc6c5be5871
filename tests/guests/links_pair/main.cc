// WASI 0.2 HTTP, over one interface that it imports twice (tests/guests/links/wit), as `primary`
// and as `spare`, and over one that has no name but `plain`: asks the first twice and the others
// once, and answers how often each was asked. /counter makes a counter at each of the two.

#include <string>

#include "weft/http_p2.h"

namespace weft::http {
namespace {

std::string counters() {
  auto first = primary_constructor_counter(5);
  auto second = spare_constructor_counter(100);
  std::string text = std::to_string(primary_method_counter_next(primary_borrow_counter(first))) +
                     " " + std::to_string(spare_method_counter_next(spare_borrow_counter(second)));
  primary_counter_drop_own(first);
  spare_counter_drop_own(second);
  return text;
}

}  // namespace

void handle(Request& request, Out out) {
  if (request.path() == "/counter") return reply(out, 200, counters() + "\n");
  primary_calls();
  std::string first = std::to_string(primary_calls());
  std::string second = std::to_string(spare_calls());
  reply(out, 200, first + " " + second + " " + std::to_string(plain_calls()) + "\n");
}

}  // namespace weft::http
