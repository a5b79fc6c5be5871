// Any bytes as a file of a time zone: an error, or a zone that answers.
#include "capabilities/cron/zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using weft::cron::Zone;
  auto zone = Zone::parse({data, size});
  if (!zone) return 0;
  for (std::int64_t year = -100; year < 200; year += 7) {
    weft::cron::sys_seconds when(std::chrono::hours(24 * 365 * year));
    zone->moments(zone->local(when));
  }
  return 0;
}
