#include "capabilities/keyvalue/keyvalue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"
#include "capabilities/keyvalue/drivers/azure/azure.h"
#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"
#include "capabilities/keyvalue/drivers/etcd/etcd.h"
#include "capabilities/keyvalue/drivers/memory.h"
#include "capabilities/keyvalue/drivers/nats/nats.h"
#include "capabilities/keyvalue/drivers/redis/redis.h"
#include "capabilities/keyvalue/host.h"
#include "capabilities/keyvalue/watched_bucket.h"
#include "capabilities/keyvalue/watcher.h"
#include "capabilities/offer_table.h"
#include "wit/wasi/keyvalue_0_2_0_draft/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft/store.h"
#include "wit/wasi/keyvalue_0_2_0_draft/watcher.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/store.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/watcher.h"
#include "wit/weft/keyvalue_rows_0_2_0_draft2/batch.h"

namespace weft::keyvalue {
namespace {

namespace draft = ::weft::wit::wasi::keyvalue_0_2_0_draft;
namespace draft2 = ::weft::wit::wasi::keyvalue_0_2_0_draft2;
namespace rows = ::weft::wit::weft::keyvalue_rows_0_2_0_draft2;

using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Store>, const Use&);

// The second shape of batch has a package of its own here, and goes by the first one's name.
constexpr OfferTable<Make, 7> kTable({
    {{draft::store::kName, draft::store::kFunctions}, draft_store},
    {{draft::atomics::kName, draft::atomics::kFunctions}, draft_atomics},
    {{draft::batch::kName, draft::batch::kFunctions}, draft_batch},
    {{draft2::store::kName, draft2::store::kFunctions}, draft2_store},
    {{draft2::atomics::kName, draft2::atomics::kFunctions}, draft2_atomics},
    {{draft2::batch::kName, draft2::batch::kFunctions}, draft2_batch},
    {{draft2::batch::kName, rows::batch::kFunctions}, draft2_batch_rows},
});

constexpr OfferTable<WriteBucket, 2> kHandlers({
    {{draft::watcher::kName, draft::watcher::kFunctions}, draft_write_bucket},
    {{draft2::watcher::kName, draft2::watcher::kFunctions}, draft2_write_bucket},
});

std::string text_of(const TriggerSettings& settings, std::string_view key) {
  const std::string* text = settings.find(key);
  return text == nullptr ? "" : *text;
}

constexpr std::string_view kEmbedded = "lmdb";
constexpr std::string_view kMemory = "memory";
constexpr std::array<DriverKey, 1> kMemoryKeys{{{"size", DriverKey::Kind::kSize}}};
constexpr std::string_view kRedis = "redis";
constexpr std::string_view kNats = "nats";
constexpr std::string_view kEtcd = "etcd";
constexpr std::string_view kDynamodb = "dynamodb";
constexpr std::string_view kAzure = "azure-blob";

std::span<const DriverInfo> driver_infos() {
  static const std::array<DriverInfo, 7> infos{{{kEmbedded, {}},
                                                {kMemory, kMemoryKeys},
                                                {kRedis, redis::driver_keys()},
                                                {kNats, nats::driver_keys()},
                                                {kEtcd, etcd::driver_keys()},
                                                {kDynamodb, dynamodb::driver_keys()},
                                                {kAzure, azure::driver_keys()}}};
  return infos;
}

// Buckets of several backends: each name's own, or else the embedded one's.
class StoreByName final : public Store {
 public:
  std::unique_ptr<Store> embedded;  // Null where every name has another.
  std::map<std::string, std::unique_ptr<Store>, std::less<>> others;

  explicit StoreByName(WatchHub& hub) : hub_(hub) {}

  Answer<std::unique_ptr<Bucket>> open(Request request, BucketName name) override {
    auto other = others.find(name.name);
    Store* store = other == others.end() ? embedded.get() : other->second.get();
    CHECK(store != nullptr);
    if (!hub_.any()) return store->open(request, name);
    return store->open(request, name)
        .then([&hub = hub_, owner = std::string(name.owner),
               bucket = std::string(name.name)](std::unique_ptr<Bucket> opened) {
          return watched_bucket(std::move(opened), {owner, bucket}, hub);
        });
  }

 private:
  WatchHub& hub_;
};

bool needs_embedded(const Use& use) {
  if (use.any_name) return true;
  return std::ranges::any_of(use.names, [&](const std::string& name) {
    auto choice = use.drivers.find(name);
    return choice == use.drivers.end() || choice->second.driver == kEmbedded;
  });
}

Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice) {
  if (choice.driver == kRedis) {
    TRY(redis::Settings settings, redis::read_settings(choice));
    return redis::redis_backend(std::move(settings));
  }
  if (choice.driver == kNats) {
    TRY(nats::Settings settings, nats::read_settings(choice));
    return nats::nats_backend(std::move(settings));
  }
  if (choice.driver == kEtcd) {
    TRY(etcd::Settings settings, etcd::read_settings(choice));
    return etcd::etcd_backend(std::move(settings));
  }
  if (choice.driver == kDynamodb) {
    TRY(dynamodb::Settings settings, dynamodb::read_settings(choice));
    return dynamodb::dynamodb_backend(std::move(settings));
  }
  if (choice.driver == kAzure) {
    TRY(azure::Settings settings, azure::read_settings(choice));
    return azure::azure_backend(std::move(settings));
  }
  if (choice.driver != kMemory) {
    return failure(Errc::kUnsupported,
                   fmt::format("there is no driver \"{}\" for keyvalue", choice.driver));
  }
  std::uint64_t bytes = MemoryDatabase::kBytesMaxByDefault;
  if (const Secret* size = choice.find("size")) {
    TRY(bytes, parse_size(size->reveal()));
  }
  return memory_backend(bytes);
}

}  // namespace

std::span<const Offer> KeyvalueCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> KeyvalueCapability::drivers() const {
  return driver_infos();
}

Result<void> KeyvalueCapability::check(const DriverChoice& choice) const {
  if (choice.driver == kRedis) TRY_VOID(redis::read_settings(choice));
  if (choice.driver == kNats) TRY_VOID(nats::read_settings(choice));
  if (choice.driver == kEtcd) TRY_VOID(etcd::read_settings(choice));
  if (choice.driver == kDynamodb) TRY_VOID(dynamodb::read_settings(choice));
  if (choice.driver == kAzure) TRY_VOID(azure::read_settings(choice));
  return {};
}

Result<void> KeyvalueCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  return ChosenBackends<Backend>::connect(choice, make_backend);
}

Result<void> KeyvalueCapability::prepare(const Use& use) {
  if (needs_embedded(use)) {
    TRY_VOID(embedded_->open());
  }
  return chosen_.prepare(use, name(), kEmbedded, make_backend);
}

std::unique_ptr<Store> KeyvalueCapability::store(Site site) {
  auto stores = std::make_unique<StoreByName>(watches_);
  if (needs_embedded(site.use)) stores->embedded = embedded_->store(site.loop);
  chosen_.stores(site, kEmbedded, stores->others);
  return stores;
}

std::unique_ptr<Provider> KeyvalueCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(store(site), site.use);
}

std::optional<TriggerForm> KeyvalueCapability::trigger() const {
  static constexpr std::array<DriverKey, 3> kKeys{
      {{"bucket"}, {"prefix"}, {"concurrency", DriverKey::Kind::kCount}}};
  return TriggerForm{"keyvalue", kKeys};
}

std::span<const Offer> KeyvalueCapability::handlers() const {
  return kHandlers.offers();
}

TriggerProblems KeyvalueCapability::check_trigger(const Use& use,
                                                  const TriggerSettings& settings) const {
  TriggerProblems problems;
  std::string bucket = text_of(settings, "bucket");
  if (!use.allows(bucket)) problems.push_back(not_granted(use, name(), "bucket", bucket));
  note(problems, "bucket", check_bucket({"", bucket}));
  note(problems, "prefix", check_key(text_of(settings, "prefix")));
  return problems;
}

std::optional<TriggerProblem> KeyvalueCapability::check_beside(const TriggerPair& pair) const {
  bool same = pair.wake == TriggerPair::Wake::kOneComponent &&
              text_of(pair.one, "bucket") == text_of(pair.before, "bucket") &&
              text_of(pair.one, "prefix") == text_of(pair.before, "prefix");
  if (!same) return std::nullopt;
  return TriggerProblem{
      "", "another trigger tells this component of the same keys: it would be told twice",
      "take one of them out"};
}

TriggerWords KeyvalueCapability::words(std::string_view, const TriggerSettings& settings) const {
  return {.on = fmt::format("{}/{}*", text_of(settings, "bucket"), text_of(settings, "prefix"))};
}

std::unique_ptr<Subscription> KeyvalueCapability::subscribe(const Waking& waking) {
  Watcher::Options options{.bucket = text_of(waking.settings, "bucket"),
                           .prefix = text_of(waking.settings, "prefix"),
                           .write_bucket = kHandlers.maker(waking.handler)};
  if (const std::string* count = waking.settings.find("concurrency")) {
    options.at_once = std::stoul(*count);
  }
  return std::make_unique<Watcher>(waking, std::move(options), store({waking.loop, waking.use}),
                                   watches_);
}

}  // namespace weft::keyvalue
