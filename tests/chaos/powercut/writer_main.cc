// The process whose writes are cut off: runs the workload on a state folder and reports each
// acknowledged operation on standard output (8 bytes) and to the shim, where one is loaded.
#include <dlfcn.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "blob_workload.h"
#include "message_workload.h"
#include "workload.h"

int main(int count, char** arguments) {
  if (count != 6) {
    fmt::print(
        stderr,
        "usage: writer FOLDER SEED FIRST COUNT flushed|unflushed|blobs|early-blobs|messages\n");
    return 2;
  }
  auto number = [&](int i) { return std::strtoull(arguments[i], nullptr, 10); };
  using weft::keyvalue::lmdb::Flush;
  auto flush = std::string_view(arguments[5]) == "unflushed" ? Flush::kNever : Flush::kEachCommit;
  auto* mark = reinterpret_cast<void (*)(std::uint64_t)>(dlsym(RTLD_DEFAULT, "powercut_mark"));
  auto acknowledged = [mark](std::uint64_t n) {
    if (mark != nullptr) mark(n);
    if (write(1, &n, sizeof n) != sizeof n) std::exit(3);
  };
  using weft::powercut::Promise;
  std::string_view what = arguments[5];
  weft::powercut::Range range{number(3), number(4)};
  auto done =
      what == "messages"
          ? weft::powercut::run_messages(arguments[1], number(2), range, acknowledged)
      : what.ends_with("blobs")
          ? weft::powercut::run_blobs(arguments[1], number(2), range,
                                      what == "blobs" ? Promise::kWhenDone : Promise::kTooEarly,
                                      acknowledged)
          : weft::powercut::run_workload(arguments[1], number(2), range, flush, acknowledged);
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message());
  return 1;
}
