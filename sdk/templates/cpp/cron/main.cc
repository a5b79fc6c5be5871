// Run whenever weft.toml's schedule says so: writes down the moment that the run was for.

#include <cstdio>

#include "guest.hpp"
#include "weft/keyvalue.h"

namespace handler = weft::wit::weft::cron_0_1_0::handler;

// An error is for the host's log; the run counts as done, and the next one comes at its time. Two
// hosts never do one run, but a run may be begun again after a crash: write `token` along with what
// must not be written twice, and refuse a smaller one.
std::expected<void, std::string> handler::exports::run(handler::Occurrence at) {
  auto bucket = ::weft::keyvalue::open("runs");
  auto runs = bucket ? bucket->increment("all") : std::unexpected(bucket.error());
  if (!runs) return std::unexpected(runs.error().message);
  std::printf("run %llu, due at %llu\n", static_cast<unsigned long long>(*runs),
              static_cast<unsigned long long>(at.due));
  return {};
}
