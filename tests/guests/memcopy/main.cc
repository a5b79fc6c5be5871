// /copy?mib=N copies N MiB within its memory, for ever: each step is one bulk operation, which the
// engine cannot stop half way.

#include <cstdlib>
#include <cstring>
#include <string>

#include "weft/http_p2.h"

void weft::http::handle(Request& request, Out out) {
  if (request.path() != "/copy") {
    Response(out, 200).write("still here\n");
    return;
  }
  auto size = std::strtoull(std::string(request.query("mib")).c_str(), nullptr, 10) << 20;
  auto* memory = static_cast<char*>(std::malloc(2 * size));
  if (!memory) {
    Response(out, 507).write("no memory\n");
    return;
  }
  for (;;) {
    asm volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.copy 0, 0"
                 :
                 : "r"(memory), "r"(memory + size), "r"(static_cast<unsigned>(size))
                 : "memory");
  }
}
