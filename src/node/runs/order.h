#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"
#include "node/object/key.h"
#include "node/object/receipt.h"
#include "node/runs/node_facts.h"

namespace weft {
class Plan;
}

namespace weft::node::runs {

// The most that a run may spend. Each one is a bound: what a request leaves open was settled by its
// quota.
struct RunLimits {
  std::chrono::nanoseconds cpu = std::chrono::seconds(10);
  std::uint64_t memory_bytes = std::uint64_t{64} << 20;
  std::chrono::milliseconds time = std::chrono::seconds(60);  // With the compiling.
  std::uint64_t output_bytes = std::uint64_t{16} << 20;
  // What links of a service to other nodes may bring.
  std::uint64_t link_bytes = std::uint64_t{16} << 20;
};

// How a run ended, and what it came to. `message` is for a person and fits a receipt.
struct RunEnd {
  Outcome outcome = Outcome::kDone;
  std::uint8_t exit_code = 0;
  std::string message = {};
  Usage usage = {};
  UnixMs began = 0;
  UnixMs ended = 0;
  std::uint64_t frames = 0;
  Hash chain = {};
};

// One run that was admitted.
struct RunOrder {
  Hash name = {};  // Of the request.
  Hash module = {};
  std::string file = {};  // Where the module is, whole, and stays until the run has begun.
  // Of a service: the module with what its owner links and grants, and no other has. Null: the plan
  // is made of the module alone. Shared with whoever serves it and its other runs.
  std::shared_ptr<const Plan> service = nullptr;
  // Which function is called, with `arguments` as docs/ENCODING.md has them. Empty: the module is a
  // program, and the arguments are a CommandLine.
  std::string function = {};
  Bytes arguments = {};
  RunLimits limits = {};
  // Whose it is: for whoever asks about the run, and so that one group's compiling leaves room.
  PublicKey requester = {};
  PublicKey reply = {};
  std::string group = {};
  std::uint64_t bytes_in = 0;  // That the usage says.
  // What it may ask about the node; null: each question is refused. Outlives the run.
  NodeFacts* facts = nullptr;

  // Called once, when the guest starts, or with why it does not: kNotFound, kInvalid (arguments),
  // kUnsupported (the module), kLimit, kCancelled. Never from inside `begin`.
  std::function<void(const Result<void>&)> began = {};
  // Called once for each run that was begun, after `began`, and never from inside `begin`. Whoever
  // is called gives the receipt to `Runs::close`, then or later: readers wait for it.
  std::function<void(const RunEnd&)> ended = {};
};

}  // namespace weft::node::runs
