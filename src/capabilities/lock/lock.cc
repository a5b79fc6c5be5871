#include "capabilities/lock/lock.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/check.h"
#include "capabilities/lock/drivers/etcd/etcd.h"
#include "capabilities/lock/drivers/nats/nats.h"
#include "capabilities/lock/drivers/redis/redis.h"
#include "capabilities/lock/drivers/table.h"
#include "capabilities/lock/host.h"
#include "capabilities/offer_table.h"
#include "wit/weft/lock_0_1_0/async_locks.h"
#include "wit/weft/lock_0_1_0/locks.h"

namespace weft::lock {
namespace {

namespace wit = ::weft::wit::weft::lock_0_1_0;

using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Spaces>);

constexpr OfferTable<Make, 2> kTable({
    {{wit::locks::kName, wit::locks::kFunctions}, locks_provider},
    {{wit::async_locks::kName, wit::async_locks::kFunctions}, async_locks_provider},
});

constexpr std::string_view kEmbedded = "embedded";
constexpr std::string_view kMemory = "memory";
constexpr std::string_view kEtcd = "etcd";
constexpr std::string_view kRedis = "redis";
constexpr std::string_view kNats = "nats";
// Whose locks they are, where it is not the app's own.
constexpr DriverKey kScope{"scope"};
constexpr std::size_t kScopeBytesMax = 200;

std::vector<DriverKey> with_scope(std::span<const DriverKey> keys) {
  std::vector<DriverKey> all(keys.begin(), keys.end());
  all.push_back(kScope);
  return all;
}

std::span<const DriverInfo> driver_infos() {
  static const std::vector<DriverKey> own = with_scope({});
  static const std::vector<DriverKey> etcd_keys = with_scope(etcd::driver_keys());
  static const std::vector<DriverKey> redis_keys = with_scope(redis::driver_keys());
  static const std::vector<DriverKey> nats_keys = with_scope(nats::driver_keys());
  static const std::array<DriverInfo, 5> infos{{{kEmbedded, own},
                                                {kMemory, own},
                                                {kEtcd, etcd_keys},
                                                {kRedis, redis_keys},
                                                {kNats, nats_keys}}};
  return infos;
}

std::string scope_of(const DriverChoice& choice) {
  const Secret* scope = choice.find("scope");
  // No app is called so: who shares locks by a scope meets no app's own.
  return scope == nullptr ? "" : fmt::format("shared:{}", scope->reveal());
}

Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice) {
  if (choice.driver == kEtcd) {
    TRY(etcd::Settings settings, etcd::read_settings(choice));
    return etcd::etcd_backend(std::move(settings));
  }
  if (choice.driver == kRedis) {
    TRY(redis::Settings settings, redis::read_settings(choice));
    return redis::redis_backend(std::move(settings));
  }
  if (choice.driver == kNats) {
    TRY(nats::Settings settings, nats::read_settings(choice));
    return nats::nats_backend(std::move(settings));
  }
  if (choice.driver == kMemory) return memory_backend();
  return failure(Errc::kUnsupported,
                 fmt::format("there is no driver \"{}\" for lock", choice.driver));
}

bool needs_embedded(const Use& use) {
  if (use.any_name) return true;
  return std::ranges::any_of(use.names, [&](const std::string& name) {
    auto choice = use.drivers.find(name);
    return choice == use.drivers.end() || choice->second.driver == kEmbedded;
  });
}

class UsedSpaces final : public Spaces {
 public:
  UsedSpaces(const LockCapability& capability, Site site)
      : capability_(capability), loop_(site.loop), use_(site.use) {}
  ~UsedSpaces() override {
    for (auto& [backend, locks] : locks_) locks->close();
  }

  Result<const Space*> find(std::string_view name) override {
    if (!use_.allows(name)) {
      return failure(Errc::kDenied,
                     fmt::format("the locks of \"{}\" are not granted: name the space in "
                                 "uses.lock",
                                 name));
    }
    auto known = spaces_.find(name);
    if (known != spaces_.end()) return &known->second;
    Backend* backend = capability_.backend_of(use_, name);
    CHECK(backend != nullptr);
    std::shared_ptr<Locks>& locks = locks_[backend];
    if (locks == nullptr) {
      locks = std::make_shared<Locks>(loop_, backend->store(loop_), backend->turns());
    }
    auto choice = use_.drivers.find(name);
    Space space{locks, choice == use_.drivers.end() ? "" : scope_of(choice->second)};
    // As a component that runs by itself may name any: one does for all of them.
    if (use_.any_name && choice == use_.drivers.end()) return &(any_ = std::move(space));
    return &spaces_.emplace(std::string(name), std::move(space)).first->second;
  }

 private:
  const LockCapability& capability_;
  Loop& loop_;
  const Use& use_;
  Space any_;
  std::map<std::string, Space, std::less<>> spaces_;  // Those that are granted.
  std::map<Backend*, std::shared_ptr<Locks>> locks_;
};

}  // namespace

std::span<const Offer> LockCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> LockCapability::drivers() const {
  return driver_infos();
}

Result<void> LockCapability::check_name(std::string_view space) const {
  std::size_t end = std::min(space.find_first_of("/*"), space.size());
  if (end == space.size()) return lock::check_name(space);
  return failure(
      Errc::kInvalid,
      fmt::format("\"{0}\" is no space of locks: write \"{1}\", which is for the lock {1} "
                  "and all of {1}/...",
                  space, space.substr(0, end)));
}

Result<void> LockCapability::check(const DriverChoice& choice) const {
  const Secret* scope = choice.find("scope");
  if (scope != nullptr && (scope->reveal().empty() || scope->reveal().size() > kScopeBytesMax)) {
    return failure(Errc::kInvalid, fmt::format("scope: from 1 to {} bytes", kScopeBytesMax));
  }
  if (choice.driver == kEtcd) TRY_VOID(etcd::read_settings(choice));
  if (choice.driver == kRedis) TRY_VOID(redis::read_settings(choice));
  if (choice.driver == kNats) TRY_VOID(nats::read_settings(choice));
  return {};
}

Result<void> LockCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  return ChosenBackends<Backend>::connect(choice, make_backend);
}

Result<void> LockCapability::prepare(const Use& use) {
  if (needs_embedded(use)) {
    TRY_VOID(embedded_->open());
  }
  return chosen_.prepare(use, name(), kEmbedded, make_backend);
}

Backend* LockCapability::backend_of(const Use& use, std::string_view space) const {
  auto choice = use.drivers.find(space);
  if (choice == use.drivers.end() || choice->second.driver == kEmbedded) return embedded_.get();
  return chosen_.find(space, choice->second);
}

std::unique_ptr<Provider> LockCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(std::make_unique<UsedSpaces>(*this, site));
}

}  // namespace weft::lock
