// Prints a line on stdout and one on stderr for each request, and ends without the end of a third.

#include <cstdio>

#include "weft/http_p2.h"

void weft::http::handle(Request& request, Out out) {
  std::string path(request.path());
  std::printf("out for %s\n", path.c_str());
  std::fprintf(stderr, "err for %s\n", path.c_str());
  std::printf("rest for %s", path.c_str());
  std::fflush(stdout);
  Response(out, 200).write("printed\n");
}
