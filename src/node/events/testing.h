#pragma once

#include <algorithm>
#include <string>

#include "base/check.h"
#include "node/events/event.h"
#include "node/events/event_log.h"
#include "node/events/event_reader.h"
#include "node/object/key.h"

// What the tests of events have in common.
namespace weft::node::events::testing {

inline SigningKey key_of(char letter) {
  return *SigningKey::from_seed(Secret(std::string(SigningKey::kSeedBytes, letter)));
}

// Of a number the same each time, and of each number another one.
inline Event some_event(std::uint64_t n) {
  Event event{.time = 1'700'000'000'000 + n,
              .action = static_cast<Action>(1 + n % 7),
              .group = n % 3 == 0 ? "" : "group-" + std::to_string(n % 5),
              .request = Hash::of(as_bytes("request " + std::to_string(n))),
              .module = n % 4 == 0 ? Hash() : Hash::of(as_bytes(std::to_string(n % 9))),
              .function = n % 2 == 0 ? "" : "demo:math/add@1.0.0#sum",
              .usage = {.cpu_ns = 1'000 * n,
                        .compile_ns = n % 2,
                        .memory_peak_bytes = 65'536 * (n % 100),
                        .memory_byte_ms = 1'001 * n,
                        .bytes_in = n,
                        .bytes_out = 2 * n},
              .stored_bytes = n % 7 == 6 ? n : 0};
  event.requester.bytes.fill(static_cast<std::uint8_t>(n % 11));
  if (n % 6 == 5) {
    event.refusal = static_cast<Refusal>(1 + n % 12);
  } else {
    event.outcome = static_cast<Outcome>(1 + n % 6);
    event.exit_code = static_cast<std::uint8_t>(n % 3);
  }
  return event;
}

// What the log makes of the n-th that is appended to it.
inline Event logged_event(std::uint64_t n) {
  Event event = some_event(n);
  event.sequence = n;
  return event;
}

// Appends up to event `last` and waits until it is durable.
inline void append_until(EventLog& log, std::uint64_t last) {
  while (log.durable() < last) {
    std::uint64_t sequence = log.durable();
    // In turns, so that there are writes of several events, and more than one write.
    std::uint64_t end = std::min(last, sequence + 7 + last / 20);
    while (sequence < end) sequence = log.append(some_event(sequence + 1)).value();
    CHECK(log.wait(sequence, Deadline::never()).has_value());
  }
}

}  // namespace weft::node::events::testing
