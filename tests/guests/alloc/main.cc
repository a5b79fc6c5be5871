// /grow?mib=N takes N MiB of memory, touches each page of it and says how much it got.

#include <cstdlib>
#include <string>

#include "weft/http_p2.h"

void weft::http::handle(Request& request, Out out) {
  auto wanted = std::strtoull(std::string(request.query("mib")).c_str(), nullptr, 10);
  std::uint64_t got = 0;
  for (; got < wanted; ++got) {
    auto* block = static_cast<volatile char*>(std::malloc(1 << 20));
    if (!block) break;
    for (std::size_t at = 0; at < (1 << 20); at += 4096) block[at] = 1;
  }
  Response(out, got == wanted ? 200 : 507).write(std::to_string(got) + " MiB\n");
}
