// WASI 0.2 HTTP, over what somebody serves (tests/guests/words/wit): /count?text=WORDS counts them,
// /long?bytes=N gets so many, /calls asks three times, /nothing, /trap and /spin call what does
// that.

#include <cstdlib>
#include <string>

#include "weft/http_p2.h"

namespace weft::http {
namespace {

std::string count(const std::string& words) {
  guest_string_t text{const_cast<std::uint8_t*>(bytes(words).data()), words.size()};
  weft_test_words_words_list_entry_t all;
  weft_test_words_words_problem_t problem;
  if (!weft_test_words_words_count(&text, &all, &problem)) {
    bool empty = problem.tag == WEFT_TEST_WORDS_WORDS_PROBLEM_EMPTY;
    return empty ? "empty" : "too long: " + std::to_string(problem.val.too_long);
  }
  std::string line;
  for (std::size_t i = 0; i < all.len; ++i) {
    std::string word(reinterpret_cast<char*>(all.ptr[i].word.ptr), all.ptr[i].word.len);
    line += (i == 0 ? "" : " ") + word + "=" + std::to_string(all.ptr[i].count);
  }
  weft_test_words_words_list_entry_free(&all);
  return line;
}

}  // namespace

void handle(Request& request, Out out) {
  auto path = request.path();
  if (path == "/count") {
    return reply(out, 200, count(std::string(request.parameter("text").value_or(""))) + "\n");
  }
  if (path == "/long") {
    auto size = request.parameter("bytes").value_or("1");
    guest_list_u8_t all;
    weft_test_words_words_long(static_cast<std::uint32_t>(std::atol(size.c_str())), &all);
    return reply(out, 200, std::to_string(all.len) + "\n");
  }
  if (path == "/calls") {
    weft_test_words_words_calls();
    weft_test_words_words_calls();
    return reply(out, 200, std::to_string(weft_test_words_words_calls()) + "\n");
  }
  if (path == "/nothing") {
    weft_test_words_words_nothing();
    return reply(out, 200, "nothing\n");
  }
  if (path == "/trap") weft_test_words_words_trap();
  if (path == "/spin") weft_test_words_words_spin();
  reply(out, 404, "nothing here\n");
}

}  // namespace weft::http
