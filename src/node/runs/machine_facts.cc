#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <string>

#include "base/read_file.h"
#include "node/runs/node_facts.h"

namespace weft::node::runs {
namespace {

// A line of /proc/meminfo, in bytes; 0: it is not there.
std::uint64_t meminfo(std::string_view name) {
  auto text = read_file("/proc/meminfo", std::size_t{64} << 10);
  if (!text) return 0;
  std::size_t at = text->find(name);
  if (at == std::string::npos) return 0;
  std::size_t digits = text->find_first_of("0123456789", at + name.size());
  if (digits == std::string::npos) return 0;
  std::uint64_t kibibytes = 0;
  std::from_chars(text->data() + digits, text->data() + text->size(), kibibytes);
  return kibibytes << 10;
}

}  // namespace

std::uint64_t MachineFacts::memory_free() {
  return meminfo("MemAvailable:");
}

std::uint64_t MachineFacts::memory_total() {
  return meminfo("MemTotal:");
}

std::uint32_t MachineFacts::processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&allowed)));
}

double MachineFacts::load() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

QuotaLeft MachineFacts::quota_left(std::string_view) {
  constexpr auto kAny = std::numeric_limits<std::uint64_t>::max();
  return {kAny, kAny, kAny, std::numeric_limits<std::uint32_t>::max()};
}

}  // namespace weft::node::runs
