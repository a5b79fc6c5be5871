// The process whose events are cut off: appends events to the log of a node, up to 32 at a time,
// and reports each that is durable on standard output (8 bytes) and to the shim, where one is
// loaded.
#include <dlfcn.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "node/events/testing.h"

int main(int count, char** arguments) {
  using namespace weft;
  using namespace weft::node;
  using namespace weft::node::events;
  if (count != 6) {
    fmt::print(stderr, "usage: events_writer FOLDER SEED FIRST COUNT all|retained|early\n");
    return 2;
  }
  auto* mark = reinterpret_cast<void (*)(std::uint64_t)>(dlsym(RTLD_DEFAULT, "powercut_mark"));
  auto acknowledged = [mark](std::uint64_t n) {
    if (mark != nullptr) mark(n);
    if (write(1, &n, sizeof n) != sizeof n) std::exit(3);
  };
  std::string_view what = arguments[5];
  EventLogOptions options{.segment_bytes = 8'000};
  if (what == "retained") options.retain_bytes = 20'000;
  auto log = EventLog::open(arguments[1], testing::key_of('n').public_key(), options);
  if (!log) {
    fmt::print(stderr, "{}\n", log.error().message());
    return 1;
  }
  std::uint64_t seed = std::strtoull(arguments[2], nullptr, 10);
  std::uint64_t end = (*log)->durable() + std::strtoull(arguments[4], nullptr, 10);
  for (std::uint64_t n = (*log)->durable(); n < end;) {
    std::uint64_t turn = std::min(end, n + 1 + (seed + n) % 32);
    while (n < turn) {
      ++n;
      // Promised before it is so: a test of the test.
      if (what == "early") acknowledged(n);
      auto done = (*log)->append(testing::some_event(n), [&, n](const Result<void>& outcome) {
        if (outcome && what != "early") acknowledged(n);
      });
      if (!done || *done != n) return 4;
    }
    if (!(*log)->wait(n, Deadline::never())) return 5;
  }
  return 0;
}
