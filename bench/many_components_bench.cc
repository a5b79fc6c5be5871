// many_components_bench COMPONENT COUNT SCRATCH SECONDS: loads and links COUNT different components
// into one process, as so many apps would, and prints a JSON line with the anonymous memory at some
// of the counts. After SECONDS it stops with those it has: `loaded`. They are COMPONENT with a
// custom section of their own each, so nothing is shared by accident; their compiled forms are kept
// in SCRATCH, where a second run finds them.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/signal.h"
#include "engine/runtime.h"

namespace weft {
namespace {

struct Loaded {
  std::unique_ptr<Program> program;
  std::unique_ptr<LinkedProgram> linked;
};

long anonymous_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::strtol(line.c_str() + 8, nullptr, 10);
  }
  return 0;
}

// The component with a custom section that names it: id 0, size, name length, name.
Result<void> write_copy(const std::string& component, const std::string& path, long number) {
  std::string name = fmt::format("copy-{:08}", number);
  std::ofstream out(path, std::ios::binary);
  out << component << '\0' << static_cast<char>(name.size() + 1) << static_cast<char>(name.size())
      << name;
  if (!out.flush()) return system_failure(path, errno);
  return {};
}

struct Task {
  std::string component;
  long count;
  std::string scratch;
  std::chrono::duration<double> time;
};

Result<void> bench(const Task& task) {
  const auto& [file, count, scratch, time] = task;
  std::ifstream in(file, std::ios::binary);
  std::string component{std::istreambuf_iterator<char>(in), {}};
  if (component.empty()) return failure(Errc::kNotFound, fmt::format("{}: no component", file));
  TRY(auto runtime, Runtime::create({.cache_folder = scratch + "/compiled"}));
  Limits limits;
  std::vector<Loaded> all;
  long cached = 0;
  long next = 1;
  auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> spent{0};
  fmt::print("{{\"anonymous_kib\": {{\"0\": {}", anonymous_kib());
  for (long i = 1; i <= count && spent < time; ++i) {
    std::string path = fmt::format("{}/component.wasm", scratch);
    TRY_VOID(write_copy(component, path, i));
    TRY(auto program, runtime->load(path, limits.memory_bytes));
    cached += program->info().cached ? 1 : 0;
    std::vector<bool> serve(program->info().functions.size(), false);
    TRY(auto linked, program->link(serve, fmt::format("copy-{}", i), limits, {}));
    all.push_back({std::move(program), std::move(linked)});
    spent = std::chrono::steady_clock::now() - start;
    if (i == next || i == count || spent >= time) {
      fmt::print(", \"{}\": {}", i, anonymous_kib());
      next = i == next ? next * 10 : next;
    }
  }
  fmt::print("}}, \"seconds\": {:.2f}, \"loaded\": {}, \"from_cache\": {}}}\n", spent.count(),
             all.size(), cached);
  return {};
}

}  // namespace
}  // namespace weft

int main(int count, char** arguments) {
  if (count != 5) {
    fmt::print(stderr, "usage: {} COMPONENT COUNT SCRATCH SECONDS\n", arguments[0]);
    return 2;
  }
  weft::StopSignals signals;
  signals.hold();
  auto done = weft::bench({arguments[1], std::strtol(arguments[2], nullptr, 10), arguments[3],
                           std::chrono::duration<double>(std::atof(arguments[4]))});
  if (done) return 0;
  fmt::print(stderr, "many_components_bench: {}\n", done.error().message());
  return 1;
}
