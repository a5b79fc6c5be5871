#include "node/admission/admission.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace weft::node {
namespace {

constexpr std::size_t kNetworkBytes = 8;

// What one machine has for the asking is one: a /64 of IPv6, except on the link itself.
std::array<std::uint8_t, 16> network_of(const IpAddress& peer) {
  IpAddress address = peer.unmapped();
  std::array<std::uint8_t, 16> network = address.bytes();
  static const IpAddress link = *IpAddress::parse("fe80::");
  bool alone = address.is_v4() || address.within(link, 10);
  if (!alone) std::fill(network.begin() + kNetworkBytes, network.end(), 0);
  return network;
}

constexpr UnixMs kLifeMs = std::chrono::milliseconds(kRequestLifeMax).count();
constexpr UnixMs kSkewMs = std::chrono::milliseconds(kClockSkewMax).count();

std::unexpected<Refusal> refuse(RefusalCode code, std::string message,
                                std::chrono::milliseconds again = {}) {
  return std::unexpected(Refusal{code, std::move(message), again});
}

std::unexpected<Refusal> refuse(const Spent& spent) {
  return refuse(RefusalCode::kSpent, spent.message(), spent.again);
}

std::unexpected<Refusal> refuse_rate(std::string_view whose, std::chrono::nanoseconds wait) {
  auto again = std::chrono::ceil<std::chrono::milliseconds>(wait);
  return refuse(RefusalCode::kSpent,
                fmt::format("{} asks too often: come again in {} ms", whose, again.count()), again);
}

std::expected<void, Refusal> check_times(const Request& request, UnixMs now) {
  if (request.expires <= request.made || request.expires - request.made > kLifeMs) {
    return refuse(RefusalCode::kMalformed,
                  "a request expires after it was made, and at most 10 minutes later");
  }
  if (request.made > now + kSkewMs) {
    return refuse(RefusalCode::kExpired,
                  fmt::format("it was made {} ms from now, by this node's clock: set the clocks",
                              request.made - now));
  }
  if (request.expires <= now) {
    return refuse(RefusalCode::kExpired,
                  fmt::format("it expired {} ms ago, by this node's clock", now - request.expires));
  }
  return {};
}

std::expected<void, Refusal> check_seen(Seen seen) {
  switch (seen) {
    case Seen::kNew: return {};
    case Seen::kSeen: return refuse(RefusalCode::kSeen, "it was taken before: sign a new one");
    case Seen::kTooOld:
      return refuse(RefusalCode::kExpired,
                    "this node cannot tell whether it was taken before: sign a new one");
    case Seen::kNoPlace:
      return refuse(RefusalCode::kSpent,
                    "there is no room to remember it: come again, with shorter lives",
                    std::chrono::seconds(1));
  }
  return {};
}

bool begins_something(Action action) {
  return action != Action::kDescribe && action != Action::kResume && action != Action::kCancel;
}

std::expected<void, Refusal> check_audience(const Request& request, const PublicKey& signer,
                                            const PublicKey& node, const Policy& policy) {
  const Audience& audience = request.audience;
  bool here = audience.kind == Audience::Kind::kAnyone ||
              (audience.kind == Audience::Kind::kNode && audience.node == node) ||
              (audience.kind == Audience::Kind::kGroup &&
               policy.groups.in(audience.group, signer) != nullptr);
  if (here) return {};
  return refuse(RefusalCode::kElsewhere, audience.kind == Audience::Kind::kNode
                                             ? "it is for another node"
                                             : "this node has its key in no group of that name");
}

}  // namespace

// One number for each address and key, in tables of a fixed size: nobody's claim makes them grow.
// Two that share one share its rate; who has which nobody outside can know.
struct Admission::Rates {
  static constexpr std::size_t kPlaces = 1 << 14;

  explicit Rates(const std::optional<std::array<std::uint8_t, 16>>& given) {
    CHECK(sodium_init() >= 0);
    static_assert(crypto_shorthash_KEYBYTES == sizeof key);
    randombytes_buf(key.data(), key.size());
    if (given) key = *given;
  }
  Rate& of(std::array<Rate, kPlaces>& rates, BytesView bytes) const {
    std::uint64_t hash = 0;
    static_assert(crypto_shorthash_BYTES == sizeof hash);
    crypto_shorthash(reinterpret_cast<unsigned char*>(&hash), bytes.data(), bytes.size(),
                     key.data());
    return rates[hash % kPlaces];
  }

  std::array<std::uint8_t, 16> key;
  std::array<Rate, kPlaces> of_address;
  std::array<Rate, kPlaces> of_key;
};

Admission::Admission(AdmissionOptions options, const CurrentPolicy& policy, Ledger& ledger,
                     SeenRequests& seen)
    : options_(std::move(options)),
      policy_(policy),
      ledger_(ledger),
      seen_(seen),
      rates_(std::make_unique<Rates>(options_.rates_key)) {}

Admission::~Admission() = default;

Admission::Standing Admission::standing_of(const Request& request, const PublicKey& signer,
                                           const Policy& policy) {
  Standing standing{.group = std::string(kStrangers)};
  if (const Groups::Member* member = policy.groups.choose(signer, request.audience)) {
    standing.group = member->group;
  }
  standing.rights = policy.settings.of_group(standing.group).may;
  return standing;
}

std::expected<Admission::Standing, Refusal> Admission::check_rights(const Request& request,
                                                                    const PublicKey& signer,
                                                                    const Policy& policy) const {
  Standing standing = standing_of(request, signer, policy);
  bool of_run = request.action == Action::kResume || request.action == Action::kCancel;
  if (of_run && options_.group_of_run) {
    // Whoever holds the reply key may, in a group or not; the group of the run pays.
    auto group = options_.group_of_run(request.run, signer);
    if (!group) return refuse(RefusalCode::kNotFound, "this key has no such run here");
    standing.group = *std::move(group);
    return standing;
  }
  // Everybody may ask for the name.
  if (request.action == Action::kDescribe || standing.rights.allow(request.action)) return standing;
  return refuse(RefusalCode::kNotAllowed, fmt::format("keys of group {} may not {} here",
                                                      standing.group, to_string(request.action)));
}

// All that costs less than a signature.
std::expected<Admission::Asked, Refusal> Admission::look(const Arrival& arrival,
                                                         const Policy& policy) {
  if (arrival.request.size() > kRequestBytesMax) {
    return refuse(RefusalCode::kTooLong,
                  fmt::format("a request has at most {} bytes", kRequestBytesMax));
  }
  auto view = SignedView::open(arrival.request, ObjectKind::kRequest);
  if (!view) return refuse(RefusalCode::kMalformed, view.error().message());
  auto request = read_request(*view);
  if (!request) return refuse(RefusalCode::kMalformed, request.error().message());
  const PublicKey& signer = view->signer();
  auto fits = check_audience(*request, signer, options_.node, policy);
  if (fits) fits = check_times(*request, arrival.now);
  if (fits) fits = check_rates(arrival, signer, policy.settings.rates);
  if (fits) fits = check_seen(seen_.look(signer, *request));
  if (!fits) return std::unexpected(std::move(fits).error());
  if (draining_.load(std::memory_order_relaxed) && begins_something(request->action)) {
    return refuse(RefusalCode::kDraining, "this node takes no new work now: ask another one");
  }
  auto standing = check_rights(*request, signer, policy);
  if (!standing) return std::unexpected(std::move(standing).error());
  if (auto may = ledger_.may_ask(standing->group, arrival.steady); !may) return refuse(may.error());
  return Asked{*view, *std::move(request), *std::move(standing)};
}

// An address is proven by its connection, and pays; a key is not, before its signature stands.
std::expected<void, Refusal> Admission::check_rates(const Arrival& arrival, const PublicKey& signer,
                                                    const RequestRates& quotas) {
  Rate& of_address = rates_->of(rates_->of_address, network_of(arrival.peer));
  if (!of_address.take(quotas.address, arrival.steady)) {
    return refuse_rate("this address", of_address.wait(quotas.address, arrival.steady));
  }
  const Rate& of_key = rates_->of(rates_->of_key, signer.view());
  if (auto wait = of_key.wait(quotas.key, arrival.steady); wait.count() > 0) {
    return refuse_rate("this key", wait);
  }
  return {};
}

std::expected<Admitted, Refusal> Admission::admit(const Arrival& arrival) {
  auto judged = judge(arrival);
  if (!judged) {
    refused_[static_cast<std::size_t>(judged.error().code)].fetch_add(1, std::memory_order_relaxed);
  }
  return judged;
}

Admission::Refused Admission::refused() const {
  Refused all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = refused_[i].load(std::memory_order_relaxed);
  return all;
}

std::expected<void, Refusal> Admission::stands(const Request& request, const PublicKey& signer,
                                               std::string_view group, UnixMs now) const {
  if (request.expires <= now) {
    return refuse(RefusalCode::kExpired,
                  fmt::format("what follows it came too late: it expired {} ms ago, by this node's "
                              "clock",
                              now - request.expires));
  }
  auto standing = check_rights(request, signer, *policy_.get());
  if (!standing) return std::unexpected(std::move(standing).error());
  if (standing->group == group) return {};
  return refuse(RefusalCode::kNotAllowed,
                fmt::format("its key is no more in group {} here: sign a new one", group));
}

std::expected<Admitted, Refusal> Admission::judge(const Arrival& arrival) {
  std::shared_ptr<const Policy> policy = policy_.get();
  auto asked = look(arrival, *policy);
  if (!asked) return std::unexpected(std::move(asked).error());
  if (!asked->view.verify()) {
    return refuse(RefusalCode::kNotSigned, "it is not signed by the key that it says");
  }
  // From here on it is somebody's, and counts.
  const PublicKey& signer = asked->view.signer();
  const RateQuota& quota = policy->settings.rates.key;
  Rate& of_key = rates_->of(rates_->of_key, signer.view());
  if (!of_key.take(quota, arrival.steady)) {
    return refuse_rate("this key", of_key.wait(quota, arrival.steady));
  }
  const std::string& group = asked->standing.group;
  if (auto may = ledger_.ask(group, arrival.steady); !may) return refuse(may.error());
  auto seen = seen_.record(signer, asked->request, group, arrival.now);
  if (!seen) {
    return refuse(RefusalCode::kFailed, fmt::format("this node cannot remember the request, and so "
                                                    "does not take it: {}",
                                                    seen.error().message()));
  }
  if (auto fits = check_seen(*seen); !fits) return std::unexpected(std::move(fits).error());
  return Admitted{.request = std::move(asked->request),
                  .hash = asked->view.hash(),
                  .signer = signer,
                  .group = std::move(asked->standing.group)};
}

}  // namespace weft::node
