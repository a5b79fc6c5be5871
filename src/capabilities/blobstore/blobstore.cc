#include "capabilities/blobstore/blobstore.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"
#include "capabilities/blobstore/drivers/azure/azure.h"
#include "capabilities/blobstore/drivers/memory.h"
#include "capabilities/blobstore/drivers/s3/s3.h"
#include "capabilities/blobstore/host.h"
#include "capabilities/blobstore/store_by_name.h"
#include "capabilities/offer_table.h"
#include "wit/wasi/blobstore_0_2_0_draft/blobstore.h"
#include "wit/wasi/blobstore_0_2_0_draft/container.h"
#include "wit/wasi/blobstore_0_2_0_draft/types.h"

namespace weft::blobstore {
namespace {

namespace draft = ::weft::wit::wasi::blobstore_0_2_0_draft;

using Make = std::unique_ptr<Provider> (*)(const Ground&);

constexpr OfferTable<Make, 3> kTable({
    {{draft::types::kName, draft::types::kFunctions}, draft_types},
    {{draft::container::kName, draft::container::kFunctions}, draft_container},
    {{draft::blobstore::kName, draft::blobstore::kFunctions}, draft_blobstore},
});

constexpr std::string_view kEmbedded = "files";
constexpr std::string_view kMemory = "memory";
constexpr std::array<DriverKey, 1> kMemoryKeys{{{"size", DriverKey::Kind::kSize}}};
constexpr std::string_view kS3 = "s3";
constexpr std::string_view kAzure = "azure-blob";

std::span<const DriverInfo> driver_infos() {
  static const std::array<DriverInfo, 4> infos{{{kEmbedded, {}},
                                                {kMemory, kMemoryKeys},
                                                {kS3, s3::driver_keys()},
                                                {kAzure, azure::driver_keys()}}};
  return infos;
}

bool needs_embedded(const Use& use) {
  if (use.any_name) return true;
  return std::ranges::any_of(use.names, [&](const std::string& name) {
    auto choice = use.drivers.find(name);
    return choice == use.drivers.end() || choice->second.driver == kEmbedded;
  });
}

Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice) {
  if (choice.driver == kS3) {
    TRY(s3::Settings settings, s3::read_settings(choice));
    return s3::s3_backend(std::move(settings));
  }
  if (choice.driver == kAzure) {
    TRY(azure::Settings settings, azure::read_settings(choice));
    return azure::azure_backend(std::move(settings));
  }
  if (choice.driver != kMemory) {
    return failure(Errc::kUnsupported,
                   fmt::format("there is no driver \"{}\" for blobstore", choice.driver));
  }
  std::uint64_t bytes = MemoryBlobs::kBytesMaxByDefault;
  if (const Secret* size = choice.find("size")) {
    TRY(bytes, parse_size(size->reveal()));
  }
  return memory_backend(bytes);
}

}  // namespace

BlobstoreCapability::BlobstoreCapability(std::unique_ptr<Backend> embedded)
    : embedded_(std::move(embedded)) {}

// The loops that answers go to are still there.
BlobstoreCapability::~BlobstoreCapability() {
  if (bodies_ != nullptr) bodies_->stop();
}

std::span<const Offer> BlobstoreCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> BlobstoreCapability::drivers() const {
  return driver_infos();
}

Result<void> BlobstoreCapability::check(const DriverChoice& choice) const {
  if (choice.driver == kS3) TRY_VOID(s3::read_settings(choice));
  if (choice.driver == kAzure) TRY_VOID(azure::read_settings(choice));
  return {};
}

Result<void> BlobstoreCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  return ChosenBackends<Backend>::connect(choice, make_backend);
}

Result<void> BlobstoreCapability::prepare(const Use& use) {
  if (bodies_ == nullptr) bodies_ = std::make_shared<Bodies>();
  if (needs_embedded(use)) {
    TRY_VOID(embedded_->open());
  }
  return chosen_.prepare(use, name(), kEmbedded, make_backend);
}

std::unique_ptr<Store> BlobstoreCapability::store(Site site) {
  auto stores = std::make_unique<StoreByName>();
  if (needs_embedded(site.use)) stores->embedded = embedded_->store(site.loop);
  chosen_.stores(site, kEmbedded, stores->others);
  return stores;
}

std::unique_ptr<Provider> BlobstoreCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(Ground{store(site), bodies_, site.use});
}

}  // namespace weft::blobstore
