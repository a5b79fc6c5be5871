#include "capabilities/secrets/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "capabilities/offer_table.h"
#include "capabilities/secrets/drivers/folder.h"
#include "capabilities/secrets/drivers/vault.h"
#include "capabilities/secrets/host.h"
#include "io/loop.h"
#include "io/pool.h"
#include "wit/wasmcloud/secrets_0_1_0_draft/reveal.h"
#include "wit/wasmcloud/secrets_0_1_0_draft/store.h"
#include "wit/wasmcloud/secrets_1_0_0/reveal.h"
#include "wit/wasmcloud/secrets_1_0_0/store.h"
#include "wit/wasmcloud/secrets_2_1_0/reveal.h"
#include "wit/wasmcloud/secrets_2_1_0/secret.h"
#include "wit/wasmcloud/secrets_2_1_0/store.h"
#include "wit/weft/secrets_0_1_0/reveal.h"
#include "wit/weft/secrets_0_1_0/store.h"

namespace weft::secrets {
namespace {

namespace own = ::weft::wit::weft::secrets_0_1_0;
namespace draft = ::weft::wit::wasmcloud::secrets_0_1_0_draft;
namespace v1 = ::weft::wit::wasmcloud::secrets_1_0_0;
namespace v2 = ::weft::wit::wasmcloud::secrets_2_1_0;

using Make = std::unique_ptr<Provider> (*)(Hosting);

constexpr OfferTable<Make, 9> kTable({
    {{own::store::kName, own::store::kFunctions}, weft_store},
    {{own::reveal::kName, own::reveal::kFunctions}, weft_reveal},
    {{draft::store::kName, draft::store::kFunctions}, draft_store},
    {{draft::reveal::kName, draft::reveal::kFunctions}, draft_reveal},
    {{v1::store::kName, v1::store::kFunctions}, v1_store},
    {{v1::reveal::kName, v1::reveal::kFunctions}, v1_reveal},
    {{v2::store::kName, v2::store::kFunctions}, v2_store},
    {{v2::reveal::kName, v2::reveal::kFunctions}, v2_reveal},
    {{v2::secret::kName, v2::secret::kFunctions}, v2_secret},
});

using Kind = DriverKey::Kind;

constexpr std::string_view kEmbedded = "file";
constexpr std::string_view kValue = "value";
constexpr std::string_view kEnvironment = "environment";
constexpr std::string_view kFolder = "folder";
constexpr std::string_view kVault = "vault";
constexpr std::array<DriverKey, 1> kFileKeys{{{"name"}}};
constexpr std::array<DriverKey, 1> kValueKeys{{{"value"}}};
constexpr std::array<DriverKey, 1> kEnvironmentKeys{{{"variable"}}};
constexpr std::array<DriverKey, 2> kFolderKeys{{{"path", Kind::kPath}, {"file"}}};
constexpr std::array<DriverKey, 9> kVaultKeys{{
    {"address"},
    {"mount"},
    {"path"},
    {"key"},
    {"token"},
    {"token-file", Kind::kPath},
    {"namespace"},
    {"ca-file", Kind::kPath},
    {"timeout", Kind::kDuration},
}};
constexpr std::array<DriverInfo, 5> kDrivers{{
    {kEmbedded, kFileKeys},
    {kValue, kValueKeys},
    {kEnvironment, kEnvironmentKeys},
    {kFolder, kFolderKeys},
    {kVault, kVaultKeys},
}};

// How long weft itself waits for a secret that its own files name; a driver's own time is shorter.
constexpr std::chrono::seconds kLookUpMax{60};
// Of reads of files at once, and of those that wait.
constexpr Pool::Options kPool{.threads = 2, .waiting_max = 1024};

Error missing(const DriverChoice& choice, std::string_view key) {
  return {Errc::kInvalid,
          fmt::format("the driver \"{}\" of secrets needs {} = \"...\"", choice.driver, key)};
}

Result<std::string> needed(const DriverChoice& choice, std::string_view key) {
  std::string value = choice.text(key);
  if (value.empty()) return std::unexpected(missing(choice, key));
  return value;
}

// What sources are made with beside their settings.
struct Means {
  std::shared_ptr<SealedFile> sealed;
  std::shared_ptr<Pool> pool;
  const Variables& variables;
};

bool reads_files(const DriverChoice& choice) {
  return choice.driver == kFolder;
}

Result<VaultSettings> vault_settings(const DriverChoice& choice) {
  VaultSettings settings{.address = choice.text("address"),
                         .path = choice.text("path"),
                         .token_file = choice.text("token-file"),
                         .name_space = choice.text("namespace"),
                         .ca_file = choice.text("ca-file")};
  if (choice.find("mount") != nullptr) settings.mount = choice.text("mount");
  if (choice.find("key") != nullptr) settings.key = choice.text("key");
  if (const Secret* token = choice.find("token")) settings.token = *token;
  TRY(settings.timeout, choice.duration("timeout", settings.timeout));
  return settings;
}

Result<std::unique_ptr<Source>> make_source(const DriverChoice& choice, const Means& means) {
  if (choice.driver == kEmbedded) return sealed_source(means.sealed, choice.text("name"));
  if (choice.driver == kValue) {
    if (const Secret* value = choice.find("value")) return value_source(*value);
    return std::unexpected(missing(choice, "value"));
  }
  if (choice.driver == kEnvironment) {
    return environment_source(choice.text("variable"), means.variables);
  }
  if (choice.driver == kFolder) {
    TRY(std::string path, needed(choice, "path"));
    return folder_source(path, choice.text("file"), means.pool);
  }
  if (choice.driver == kVault) {
    TRY(VaultSettings settings, vault_settings(choice));
    return vault_source(std::move(settings));
  }
  return failure(Errc::kUnsupported,
                 fmt::format("there is no driver \"{}\" for secrets", choice.driver));
}

// Nowhere, where there is no state folder.
std::filesystem::path sealed_folder(const std::filesystem::path& state) {
  return state.empty() ? state : state / kStateFolder;
}

bool needs_embedded(const Use& use) {
  if (use.any_name) return true;
  return std::ranges::any_of(use.names,
                             [&](const std::string& name) { return !use.drivers.contains(name); });
}

// Secrets of several sources: each name's own, or else the embedded one's.
class ReaderByName final : public Reader {
 public:
  std::unique_ptr<Reader> embedded;  // Null where every name has another.
  std::map<std::string, std::unique_ptr<Reader>, std::less<>> others;

  Answer<Secret> get(Request request, std::string_view name) override {
    auto other = others.find(name);
    Reader* reader = other == others.end() ? embedded.get() : other->second.get();
    CHECK(reader != nullptr);
    return reader->get(request, name);
  }
};

std::optional<std::string> process_variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace

SecretsCapability::SecretsCapability(const StateFolderOnDemand& state)
    : SecretsCapability(state, process_variable) {}

SecretsCapability::SecretsCapability(const StateFolderOnDemand& state, Variables variables)
    : state_(state), variables_(std::move(variables)) {}

SecretsCapability::~SecretsCapability() = default;

std::span<const Offer> SecretsCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> SecretsCapability::drivers() const {
  return kDrivers;
}

Result<void> SecretsCapability::prepare(const Use& use) {
  if (sealed_ == nullptr) {
    sealed_ = std::make_shared<SealedFile>(sealed_folder(state_.path()));
    embedded_ = sealed_source(sealed_, "");
  }
  if (needs_embedded(use)) {
    TRY_VOID(embedded_->open());
  }
  for (const auto& [name, choice] : use.drivers) {
    std::vector<Chosen>& sources = chosen_[name];
    if (std::ranges::find(sources, choice, &Chosen::choice) != sources.end()) continue;
    if (pool_ == nullptr && reads_files(choice)) pool_ = std::make_shared<Pool>(kPool);
    TRY(auto source, make_source(choice, {sealed_, pool_, variables_}));
    TRY_VOID(source->open());
    sources.push_back({choice, std::move(source)});
  }
  return try_remote(use);
}

// Asks for what is kept on other machines, so that a wrong path or token is told before anything
// runs. One that does not answer keeps nothing from starting: components ask again.
Result<void> SecretsCapability::try_remote(const Use& use) const {
  for (const auto& [name, choice] : use.drivers) {
    if (is_local(&choice)) continue;
    auto value = look_up(name, &choice, {});
    if (value) continue;
    Errc code = value.error().code();
    if (code != Errc::kUnavailable && code != Errc::kTimeout) {
      return std::unexpected(std::move(value).error());
    }
    log::warn("secrets", value.error().message(), {{"name", name}});
    return {};
  }
  return {};
}

std::unique_ptr<Reader> SecretsCapability::reader(Site site) {
  auto readers = std::make_unique<ReaderByName>();
  if (needs_embedded(site.use)) readers->embedded = embedded_->reader(site.loop);
  for (const auto& [name, choice] : site.use.drivers) {
    std::vector<Chosen>& sources = chosen_.find(name)->second;
    auto chosen = std::ranges::find(sources, choice, &Chosen::choice);
    CHECK(chosen != sources.end());
    readers->others.emplace(name, chosen->source->reader(site.loop));
  }
  return readers;
}

std::unique_ptr<Provider> SecretsCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(Hosting{reader(site), site.use, audit_, std::string(site.import)});
}

Result<Secret> SecretsCapability::look_up(std::string_view name, const DriverChoice* choice,
                                          const Where& where) const {
  // The loop outlives the pool, whose last answer goes to it.
  Loop loop;
  static const DriverChoice kFromEmbedded{std::string(kEmbedded)};
  if (choice == nullptr) choice = &kFromEmbedded;
  Means means{std::make_shared<SealedFile>(sealed_folder(state_folder(where))),
              reads_files(*choice) ? std::make_shared<Pool>(kPool) : nullptr,
              where.variables ? where.variables : variables_};
  TRY(auto source, make_source(*choice, means));
  TRY_VOID(source->open());
  return wait_for(loop, *source, name, Deadline::after(kLookUpMax));
}

bool SecretsCapability::is_local(const DriverChoice* choice) const {
  if (choice == nullptr || choice->driver != kVault) return true;
  // Settings that cannot work fail without asking anybody.
  auto settings = vault_settings(*choice);
  return !settings || !vault_source(*std::move(settings));
}

std::optional<std::string> SecretsCapability::variable(std::string_view name,
                                                       const DriverChoice& choice) const {
  if (choice.driver != kEnvironment) return std::nullopt;
  std::string variable = choice.text("variable");
  return variable.empty() ? variable_of(name) : variable;
}

}  // namespace weft::secrets
