#pragma once

#include <cstdint>
#include <string>

#include "node/object/request.h"

namespace weft::node {

inline constexpr std::size_t kReceiptMessageMax = 500;

// How what was asked for ended.
enum class Outcome : std::uint8_t {
  kDone = 1,       // As the guest meant it; a command left with `exit_code`.
  kTrapped = 2,    // The guest's own fault.
  kLimited = 3,    // It reached a limit of the request's or of its group's.
  kCancelled = 4,  // By the holder of the reply key, or by the node's owner.
  kFailed = 5,     // The node's fault.
  kUnfit = 6,      // It was never begun: no such module, program or function as was asked for.
};
std::string_view to_string(Outcome outcome);

// What was measured of one request.
struct Usage {
  std::uint64_t cpu_ns = 0;
  std::uint64_t compile_ns = 0;
  std::uint64_t memory_peak_bytes = 0;
  // Bytes of memory times milliseconds in which they were held.
  std::uint64_t memory_byte_ms = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  Usage& operator+=(const Usage& other);
  friend bool operator==(const Usage&, const Usage&) = default;
};

// A node's word for what it has sent of a run's output: the first `frames` frames have this chain.
// What is before a seal is proven by it; see docs/NODE_PROTOCOL.md for the chain.
struct Seal {
  Hash request = {};
  std::uint64_t frames = 0;
  Hash chain = {};
  bool last = false;  // No frame follows; the receipt does, once its event is on the disk.
  friend bool operator==(const Seal&, const Seal&) = default;
};

// A node's word for what a request came to. With the signed request it proves a line of a bill.
struct Receipt {
  Hash request = {};
  PublicKey requester = {};
  std::string group = {};
  Action action = Action::kRun;
  Hash module = {};
  std::string function = {};
  Outcome outcome = Outcome::kDone;
  std::uint8_t exit_code = 0;
  std::string message = {};  // For a person, where it did not end well.
  Usage usage = {};
  UnixMs began = 0;
  UnixMs ended = 0;
  std::uint64_t frames = 0;  // Of output, all of it, and their chain.
  Hash chain = {};
  std::uint64_t event = 0;  // The number of its event in the node's log.

  friend bool operator==(const Receipt&, const Receipt&) = default;
};

Bytes sign(const Seal& seal, const SigningKey& node);
Bytes sign(const Receipt& receipt, const SigningKey& node);
Result<Seal> read_seal(const SignedView& view);
Result<Receipt> read_receipt(const SignedView& view);

// Usage as one field, for the log as well.
inline constexpr std::size_t kUsageBytes = 6 * sizeof(std::uint64_t);
Bytes usage_bytes(const Usage& usage);
// `bytes` has kUsageBytes.
Usage read_usage(BytesView bytes);

// How the frames of a run's output are chained: the chain behind no frame is the request's name.
Hash next_chain(const Hash& chain, std::uint8_t stream, BytesView bytes);

}  // namespace weft::node
