#include "observe/host_facts.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iterator>

namespace weft {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::uint64_t resident_pages() {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                       std::fclose);
  unsigned long all = 0;
  unsigned long resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%lu %lu", &all, &resident) != 2) return 0;
  return resident;
}

}  // namespace

std::string_view to_string(HostFacts::State state) {
  switch (state) {
    case HostFacts::State::kStarting: return "starting";
    case HostFacts::State::kServing: return "serving";
    case HostFacts::State::kStopping: return "stopping";
  }
  return "unknown";
}

ProcessUse ProcessUse::now() {
  ProcessUse use;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    use.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  use.resident_bytes = resident_pages() * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::error_code problem;
  std::filesystem::directory_iterator files("/proc/self/fd", problem);
  // The walk itself has one open.
  if (!problem)
    use.open_files = static_cast<std::uint64_t>(std::distance(begin(files), end(files))) - 1;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) use.open_files_max = limit.rlim_cur;
  return use;
}

}  // namespace weft
