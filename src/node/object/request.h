#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"
#include "node/object/key.h"
#include "node/object/signed.h"

namespace weft::node {

// A signed request, whole. What is longer is none.
inline constexpr std::size_t kRequestBytesMax = 1'200;
inline constexpr std::size_t kFunctionNameMax = 300;
inline constexpr std::size_t kGroupNameMax = 64;
// From the making of a request to its end, at most: so long its nonce has to be kept.
inline constexpr std::chrono::minutes kRequestLifeMax{10};
// How far clocks may be apart: what was made later than this from now is not taken.
inline constexpr std::chrono::seconds kClockSkewMax{30};

// Milliseconds since 1970, as people's clocks have them.
using UnixMs = std::uint64_t;
UnixMs unix_now();

enum class Action : std::uint8_t {
  kDescribe = 1,  // Who are you, what do you offer me?
  kFetch = 2,     // May I read a module, in chunks?
  kRun = 3,       // Run a program.
  kCall = 4,      // Call one function of a module or of a service.
  kResume = 5,    // The output of a run, from some frame on.
  kCancel = 6,    // End a run.
  kStore = 7,     // Keep a module, whose chunks I send.
};
std::string_view to_string(Action action);

// For whom a request is: nobody else takes it.
struct Audience {
  enum class Kind : std::uint8_t { kAnyone = 0, kNode = 1, kGroup = 2 };
  Kind kind = Kind::kAnyone;
  PublicKey node = {};     // kNode
  std::string group = {};  // kGroup: of the nodes that have the signer in a group of this name.

  static Audience anyone() { return {}; }
  static Audience of(const PublicKey& node) { return {Kind::kNode, node, {}}; }
  static Audience of_group(std::string name) { return {Kind::kGroup, {}, std::move(name)}; }
  friend bool operator==(const Audience&, const Audience&) = default;
};

// The most that it may cost; 0: whatever the quota of the signer's group allows.
struct RequestLimits {
  std::uint64_t cpu_ns = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t time_ms = 0;
  std::uint64_t output_bytes = 0;
  friend bool operator==(const RequestLimits&, const RequestLimits&) = default;
};

using Nonce = std::array<std::uint8_t, 16>;

// One thing that is asked of a node. Its name is the hash of the signed bytes.
struct Request {
  Audience audience = {};
  Nonce nonce = {};
  UnixMs made = 0;
  UnixMs expires = 0;
  Action action = Action::kDescribe;
  // kFetch, kStore, kRun, kCall: which module. Zero for a kCall of a service, which the function
  // names.
  Hash module = {};
  std::string function = {};  // kCall: "pkg:name/iface@1.0.0#func".
  Hash arguments = {};        // kRun, kCall: of the bytes that come behind the request.
  RequestLimits limits = {};  // kRun, kCall
  Hash run = {};              // kResume, kCancel: the name of the request that began it.
  std::uint64_t from = 0;     // kResume: the first frame that is wanted.
  // Who may resume and cancel: the signer's own, or one that was made for this.
  PublicKey reply = {};

  friend bool operator==(const Request&, const Request&) = default;
};

Nonce random_nonce();

Bytes sign(const Request& request, const SigningKey& key);
// Of a request that was opened, verified or not. kInvalid where a field is not what it has to be.
// Texts are copied, all else is numbers: it allocates at most what they have.
Result<Request> read_request(const SignedView& view);

}  // namespace weft::node
