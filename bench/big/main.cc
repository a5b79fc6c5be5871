// An HTTP component with 13 MB of generated code: / says hello, /work?n=N runs N of its functions.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "weft/http_p2.h"

extern "C" std::uint32_t big_run(std::uint32_t first, std::uint32_t count);

namespace weft::http {

void handle(Request& request, Out out) {
  if (request.path() != "/work") {
    Response(out, 200).write("hello from a big component\n");
    return;
  }
  std::string count(request.query("n"));
  auto sum = big_run(1, static_cast<std::uint32_t>(std::strtoul(count.c_str(), nullptr, 10)));
  Response(out, 200).write(std::to_string(sum) + "\n");
}

}  // namespace weft::http
