// What the plain clients of brokers have in common: what they are told, and what they say.
//
//     weft_..._bench URL VERB TOPIC COUNT BYTES
//
// `publish` publishes COUNT messages of BYTES, kInFlight of them at most without an
// acknowledgement, and `consume` takes that many and acknowledges each. The first message begins
// with "first", the last one with "last": what the handlers of bench/messages go by. Each prints
// the seconds that it took as JSON, a consumer from its first message to its last.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace broker_bench {

inline constexpr int kInFlight = 64;
// Of a whole run: a server that is gone ends it.
inline constexpr std::chrono::seconds kTimeMax{120};

using Clock = std::chrono::steady_clock;

struct Job {
  std::string url;
  std::string verb;
  std::string topic;
  int count = 0;
  std::size_t bytes = 0;
};

inline int fail(std::string_view what) {
  fmt::print(stderr, "broker_bench: {}\n", what);
  return 1;
}

inline Job job_of(int count, char** arguments) {
  if (count != 6) std::exit(fail("usage: URL VERB TOPIC COUNT BYTES"));
  return {arguments[1], arguments[2], arguments[3], std::max(2, std::atoi(arguments[4])),
          std::strtoul(arguments[5], nullptr, 10)};
}

inline std::string body_of(const Job& job, int number) {
  std::string body = number == 0 ? "first" : number == job.count - 1 ? "last" : "plain";
  body.resize(std::max<std::size_t>(job.bytes, body.size()), '.');
  return body;
}

// For clients whose own waits have no end in all cases.
inline void end_in_time() {
  std::thread([] {
    std::this_thread::sleep_for(kTimeMax);
    std::_Exit(fail("it takes too long"));
  }).detach();
}

// For who starts the publisher then.
inline void say_ready() {
  fmt::print("ready\n");
  std::fflush(stdout);
}

inline int say_seconds(Clock::time_point begin, Clock::time_point end) {
  fmt::print("{{\"seconds\": {:.6f}}}\n", std::chrono::duration<double>(end - begin).count());
  return 0;
}

}  // namespace broker_bench
