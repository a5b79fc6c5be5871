#include "capabilities/sql/sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"
#include "capabilities/offer_table.h"
#include "capabilities/sql/drivers/postgres/postgres.h"
#include "capabilities/sql/host.h"
#include "capabilities/sql/settings.h"
#include "wit/wasi/sql_0_2_0_draft/readwrite.h"
#include "wit/wasi/sql_0_2_0_draft/types.h"

namespace weft::sql {
namespace {

namespace draft = ::weft::wit::wasi::sql_0_2_0_draft;

using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Store>, const Use&);

constexpr OfferTable<Make, 3> kTable({
    {{interface::kName, interface::kFunctions}, database_provider},
    {{draft::types::kName, draft::types::kFunctions}, draft_types_provider},
    {{draft::readwrite::kName, draft::readwrite::kFunctions}, draft_readwrite_provider},
});

constexpr std::string_view kEmbedded = "sqlite";
constexpr std::array<DriverKey, 3> kSqliteKeys{{{"size", DriverKey::Kind::kSize},
                                                {"statement-timeout", DriverKey::Kind::kDuration},
                                                {"idle-timeout", DriverKey::Kind::kDuration}}};
constexpr std::string_view kPostgres = "postgres";

std::span<const DriverInfo> driver_infos() {
  static const std::array<DriverInfo, 2> infos{
      {{kEmbedded, kSqliteKeys}, {kPostgres, postgres::driver_keys()}}};
  return infos;
}

// Databases of several backends: each name's own, or else the embedded one's.
class StoreByName final : public Store {
 public:
  std::unique_ptr<Store> embedded;  // Null where every name has another.
  std::map<std::string, std::unique_ptr<Store>, std::less<>> others;

  Answer<Or<std::unique_ptr<Database>>> open(Request request, DatabaseName name) override {
    auto other = others.find(name.name);
    Store* store = other == others.end() ? embedded.get() : other->second.get();
    CHECK(store != nullptr);
    return store->open(request, name);
  }
};

bool needs_embedded(const Use& use) {
  return use.any_name || std::ranges::any_of(use.names, [&](const std::string& name) {
           return !use.drivers.contains(name);
         });
}

// One that keeps its databases on a server.
Result<std::unique_ptr<Backend>> make_remote(const DriverChoice& choice) {
  if (choice.driver == kPostgres) {
    TRY(postgres::Settings settings, postgres::read_settings(choice));
    return postgres::postgres_backend(std::move(settings));
  }
  return failure(Errc::kUnsupported,
                 fmt::format("there is no driver \"{}\" for sql", choice.driver));
}

}  // namespace

std::span<const Offer> SqlCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> SqlCapability::drivers() const {
  return driver_infos();
}

Result<void> SqlCapability::check(const DriverChoice& choice) const {
  if (choice.driver == kPostgres) {
    TRY_VOID(postgres::read_settings(choice));
  }
  return {};
}

Result<std::unique_ptr<Backend>> SqlCapability::make_backend(const DriverChoice& choice) {
  if (choice.driver != kEmbedded) return make_remote(choice);
  SqliteOptions options;
  TRY(options.times, times_of(choice));
  if (const Secret* size = choice.find("size")) {
    TRY(options.size_max, parse_size(size->reveal()));
  }
  return sqlite_.backend(options);
}

Result<void> SqlCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  return ChosenBackends<Backend>::connect(choice, make_remote);
}

Result<void> SqlCapability::prepare(const Use& use) {
  if (needs_embedded(use)) {
    TRY_VOID(embedded_->open());
  }
  return chosen_.prepare(use, name(), "",
                         [this](const DriverChoice& choice) { return make_backend(choice); });
}

std::unique_ptr<Store> SqlCapability::store(Site site) {
  auto stores = std::make_unique<StoreByName>();
  if (needs_embedded(site.use)) stores->embedded = embedded_->store(site.loop);
  chosen_.stores(site, "", stores->others);
  return stores;
}

std::unique_ptr<Provider> SqlCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(store(site), site.use);
}

}  // namespace weft::sql
