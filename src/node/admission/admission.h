#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/net_address.h"
#include "node/admission/seen.h"
#include "node/object/request.h"
#include "node/policy/ledger.h"
#include "node/policy/policy.h"

namespace weft::node {

enum class RefusalCode : std::uint8_t {
  kMalformed,   // 400
  kNotSigned,   // 401
  kNotAllowed,  // 403
  kNotFound,    // 404: no such run, or no run of this key's
  kSeen,        // 409
  kExpired,     // 410: expired, or not yet
  kTooLong,     // 413
  kElsewhere,   // 421: for somebody else
  kSpent,       // 429
  kDraining,    // 503
  kFailed,      // 503: this node cannot remember it, so it does not take it
};
inline constexpr std::size_t kRefusalCodes = static_cast<std::size_t>(RefusalCode::kFailed) + 1;
// "seen": what stands under "error".
std::string_view to_string(RefusalCode code);
// As docs/NODE_PROTOCOL.md has them.
int http_status(RefusalCode code);

struct Refusal {
  RefusalCode code = RefusalCode::kMalformed;
  std::string message = {};
  // kSpent: when to come again; zero where nobody knows.
  std::chrono::milliseconds again{0};
};

// A request that may be done: once, now.
struct Admitted {
  Request request = {};
  Hash hash = {};  // Its name.
  PublicKey signer = {};
  std::string group = {};  // Whose quota pays; kStrangers for a key in none.
};

struct Arrival {
  // All that stands behind the length, and nothing else: at most kRequestBytesMax are looked at.
  BytesView request = {};
  IpAddress peer = IpAddress::v4({});  // Whom it came from.
  UnixMs now = 0;                      // The node's clock,
  SteadyNs steady{0};                  // and the one that nobody sets.
};

struct AdmissionOptions {
  PublicKey node = {};
  // The group that pays for a run, if `signer` holds its reply key: nothing for any other key, and
  // for a run that is not there. Called before anything is verified: it only looks, in memory.
  // Empty: resume and cancel are for the keys of groups that may run or call.
  std::function<std::optional<std::string>(const Hash& run, const PublicKey& signer)> group_of_run =
      {};
  // With which the numbers of addresses and keys are found; random where absent, as it has to be
  // for anybody but a test.
  std::optional<std::array<std::uint8_t, 16>> rates_key = {};
};

// From bytes to a request that may be done. What costs least is looked at first, the signature
// last; then it is remembered, so that it is done once.
//
// One a node; from any thread. It borrows all but its options. Before the signature stands it
// writes nothing, keeps nothing but a number for the sender's address, and takes nothing from the
// rate of the key or of the group.
class Admission {
 public:
  Admission(AdmissionOptions options, const CurrentPolicy& policy, Ledger& ledger,
            SeenRequests& seen);
  ~Admission();
  Admission(const Admission&) = delete;

  std::expected<Admitted, Refusal> admit(const Arrival& arrival);
  // Whether what was admitted may still be done: what follows it took its time to come, and its
  // life, its key's group or the group's rights may have ended.
  std::expected<void, Refusal> stands(const Request& request, const PublicKey& signer,
                                      std::string_view group, UnixMs now) const;

  // How often each was said, for the node's owner: of what is refused here there is no event.
  using Refused = std::array<std::uint64_t, kRefusalCodes>;
  Refused refused() const;

  // From now on nothing is taken that begins anything: describe, resume and cancel are.
  void drain() { draining_.store(true, std::memory_order_relaxed); }
  void resume() { draining_.store(false, std::memory_order_relaxed); }

 private:
  struct Rates;
  // Who asks, as far as it is about rights and quotas.
  struct Standing {
    std::string group = {};
    Rights rights = {};
  };
  // What was looked at, and not verified.
  struct Asked {
    SignedView view;
    Request request;
    Standing standing;
  };

  std::expected<Admitted, Refusal> judge(const Arrival& arrival);
  std::expected<Asked, Refusal> look(const Arrival& arrival, const Policy& policy);
  std::expected<void, Refusal> check_rates(const Arrival& arrival, const PublicKey& signer,
                                           const RequestRates& quotas);
  std::expected<Standing, Refusal> check_rights(const Request& request, const PublicKey& signer,
                                                const Policy& policy) const;
  static Standing standing_of(const Request& request, const PublicKey& signer,
                              const Policy& policy);

  const AdmissionOptions options_;
  const CurrentPolicy& policy_;
  Ledger& ledger_;
  SeenRequests& seen_;
  const std::unique_ptr<Rates> rates_;
  std::atomic<bool> draining_{false};
  std::array<std::atomic<std::uint64_t>, kRefusalCodes> refused_{};
};

}  // namespace weft::node
