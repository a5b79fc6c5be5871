// WASI 0.2 HTTP, over what another component serves (tests/guests/links/wit): /add?x=N adds (N, 1,
// "left") and (1, 2, "right"), /calls asks three times, /counter makes counters and drops them,
// /trap and /spin call what does that.

#include <cstdlib>
#include <string>

#include "weft/http_p2.h"

namespace weft::http {
namespace {

guest_string_t borrow(std::string_view text) {
  return {const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
}

std::string add(std::int32_t x) {
  weft_test_links_ops_point_t a{x, 1, borrow("left")};
  weft_test_links_ops_point_t b{1, 2, borrow("right")};
  weft_test_links_ops_point_t sum;
  weft_test_links_ops_problem_t problem;
  if (!weft_test_links_ops_add(&a, &b, &sum, &problem)) {
    return "too big: " + std::to_string(problem.val.too_big);
  }
  std::string text = std::to_string(sum.x) + " " + std::to_string(sum.y) + " " +
                     std::string(reinterpret_cast<char*>(sum.name.ptr), sum.name.len);
  weft_test_links_ops_point_free(&sum);
  return text;
}

std::string counters() {
  auto next = [](weft_test_links_ops_own_counter_t counter) {
    return std::to_string(
        weft_test_links_ops_method_counter_next(weft_test_links_ops_borrow_counter(counter)));
  };
  auto a = weft_test_links_ops_constructor_counter(5);
  auto b = weft_test_links_ops_constructor_counter(100);
  std::string text = next(a) + " " + next(a) + " " + next(b);
  auto sum = weft_test_links_ops_sum(a, weft_test_links_ops_borrow_counter(b));
  text += " " + next(sum) + ", " + std::to_string(weft_test_links_ops_alive());
  weft_test_links_ops_counter_drop_own(b);
  weft_test_links_ops_counter_drop_own(sum);
  return text + " " + std::to_string(weft_test_links_ops_alive());
}

}  // namespace

void handle(Request& request, Out out) {
  auto path = request.path();
  if (path == "/add") {
    auto x = request.parameter("x").value_or("1");
    return reply(out, 200, add(static_cast<std::int32_t>(std::atol(x.c_str()))) + "\n");
  }
  if (path == "/calls") {
    weft_test_links_ops_calls();
    weft_test_links_ops_calls();
    return reply(out, 200, std::to_string(weft_test_links_ops_calls()) + "\n");
  }
  if (path == "/counter") return reply(out, 200, counters() + "\n");
  if (path == "/trap") weft_test_links_ops_trap();
  if (path == "/spin") weft_test_links_ops_spin();
  reply(out, 404, "nothing here\n");
}

}  // namespace weft::http
