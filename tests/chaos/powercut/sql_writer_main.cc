// The process whose statements are cut off: runs the SQL workload on a state folder and reports
// each acknowledged operation on standard output (8 bytes) and to the shim, where one is loaded.
#include <dlfcn.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "sql_workload.h"

int main(int count, char** arguments) {
  if (count != 6) {
    fmt::print(stderr, "usage: sql_writer FOLDER SEED FIRST COUNT flushed\n");
    return 2;
  }
  auto number = [&](int i) { return std::strtoull(arguments[i], nullptr, 10); };
  auto* mark = reinterpret_cast<void (*)(std::uint64_t)>(dlsym(RTLD_DEFAULT, "powercut_mark"));
  auto done = weft::powercut::run_sql_workload(arguments[1], number(2), {number(3), number(4)},
                                               [mark](std::uint64_t n) {
                                                 if (mark != nullptr) mark(n);
                                                 if (write(1, &n, sizeof n) != sizeof n)
                                                   std::exit(3);
                                               });
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message());
  return 1;
}
