#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/receipt.h"
#include "node/object/request.h"

namespace weft::node::events {

// Why a request that was admitted was not done. What Admission refuses has no event, so nothing
// writes kSeen, kNotForUs and kRate; their numbers stay theirs.
enum class Refusal : std::uint8_t {
  kNone = 0,       // It was done; `Event::outcome` says how it ended.
  kForbidden = 1,  // The key's group has no right to it.
  kNotFound = 2,   // No such module, function or run.
  kSeen = 3,       // Its nonce was used before.
  kExpired = 4,    // Too late, or not yet.
  kTooLong = 5,
  kNotForUs = 6,   // Its audience is somebody else.
  kMismatch = 7,   // What came with it is not what it names.
  kQuota = 8,      // The group's quota is spent.
  kRate = 9,       // Too many too fast.
  kDraining = 10,  // The node takes nothing new.
  kUnsupported = 11,
  kFull = 12,    // The node's disk, or its store, has no room for it.
  kFailed = 13,  // The node could not do it; its own log says why.
};
std::string_view to_string(Refusal refusal);

// What a record has at least, and with every text at its longest.
inline constexpr std::size_t kEventBytesMin = 250;
inline constexpr std::size_t kEventBytesMax = kEventBytesMin + kGroupNameMax + kFunctionNameMax;

// One request and what came of it. A value.
struct Event {
  std::uint64_t sequence = 0;  // From 1, without a gap. The log gives it.
  UnixMs time = 0;             // By the node's clock: when it ended, or was refused.
  Action action = Action::kDescribe;
  PublicKey requester = {};
  std::string group = {};  // Empty for a key that is in none.
  Hash request = {};
  Hash module = {};  // Zero where there is none.
  std::string function = {};
  Refusal refusal = Refusal::kNone;
  Outcome outcome = Outcome::kDone;  // Means nothing where it was refused.
  std::uint8_t exit_code = 0;
  Usage usage = {};
  // What the node keeps on disk because of this request: of kStore alone.
  std::uint64_t stored_bytes = 0;

  bool refused() const { return refusal != Refusal::kNone; }
  friend bool operator==(const Event&, const Event&) = default;
};

// Where in a record the 8 bytes of the sequence are.
inline constexpr std::size_t kEventSequenceOffset = 6;

// Appends the record of `event`. There is one encoding of an event. The group and the function are
// no longer than kGroupNameMax and kFunctionNameMax: a CHECK.
void append_event(Bytes& out, const Event& event);

// kInvalid for what append_event would not have written.
Result<Event> read_event(BytesView record);

// An event's part of what a receipt says, so that both say the same. Sequence and time are left.
Event event_of(const Receipt& receipt);

}  // namespace weft::node::events
