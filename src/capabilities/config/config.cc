#include "capabilities/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/check.h"
#include "capabilities/hosted.h"
#include "capabilities/offer_table.h"
#include "remote/etcd/client.h"
#include "wit/wasi/config_0_2_0_draft/runtime.h"
#include "wit/wasi/config_0_2_0_draft/store.h"
#include "wit/wasi/config_0_2_0_draft_2024_09_27/store.h"
#include "wit/wasi/config_0_2_0_rc_1/store.h"

namespace weft::config {
namespace {

namespace rc1 = ::weft::wit::wasi::config_0_2_0_rc_1;
namespace draft = ::weft::wit::wasi::config_0_2_0_draft;
namespace dated = ::weft::wit::wasi::config_0_2_0_draft_2024_09_27;

constexpr std::string_view kManifest = ConfigCapability::kManifest;
constexpr std::string_view kFile = "file";
constexpr std::string_view kEnvironment = "environment";
constexpr std::array<DriverKey, 2> kFileKeys{{{"path", DriverKey::Kind::kPath}, {"key"}}};
constexpr std::array<DriverKey, 1> kEnvironmentKeys{{{"prefix"}}};
constexpr std::string_view kEtcd = "etcd";
constexpr std::string_view kEtcdPrefix = "weft/config/";
constexpr std::array<DriverKey, 7> kEtcdKeys{{{"url", DriverKey::Kind::kText, "http://HOST:2379"},
                                              {"username"},
                                              {"password"},
                                              {"ca-file", DriverKey::Kind::kPath},
                                              {"prefix"},
                                              {"timeout", DriverKey::Kind::kDuration},
                                              {"key"}}};
constexpr std::array<DriverInfo, 4> kDrivers{{
    {kManifest, {}},
    {kFile, kFileKeys},
    {kEnvironment, kEnvironmentKeys},
    {kEtcd, kEtcdKeys},
}};

std::optional<std::string> process_variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

Result<std::unique_ptr<Source>> make_etcd_source(const DriverChoice& choice) {
  remote::etcd::Access access{.username = choice.text("username"),
                              .ca_file = choice.text("ca-file")};
  if (const Secret* url = choice.find("url")) access.url = *url;
  if (const Secret* password = choice.find("password")) access.password = *password;
  TRY(access.timeout, choice.duration("timeout", access.timeout));
  TRY(auto settings, remote::etcd::read_access(access));
  std::string prefix = choice.text("prefix");
  return etcd_source(std::move(settings), prefix.empty() ? std::string(kEtcdPrefix) : prefix);
}

Result<std::unique_ptr<Source>> make_source(const DriverChoice& choice) {
  if (choice.driver == kEnvironment) {
    return environment_source(choice.text("prefix"), process_variable);
  }
  if (choice.driver == kEtcd) return make_etcd_source(choice);
  if (choice.driver != kFile) {
    return failure(Errc::kUnsupported,
                   fmt::format("there is no driver \"{}\" for config", choice.driver));
  }
  std::string path = choice.text("path");
  if (path.empty()) {
    return failure(Errc::kInvalid, "the driver \"file\" of config needs path = \"FILE\"");
  }
  return file_source(std::move(path));
}

// What a driver calls a key that it was chosen for.
std::string name_at(const DriverChoice& choice, std::string_view key) {
  std::string name = choice.text("key");
  return name.empty() ? std::string(key) : name;
}

// The values of one component: those of weft's files, and where they come from else.
class LiveValues {
 public:
  explicit LiveValues(const Use& use) : use_(use) {}

  // `source` null: the files of weft.
  void add(std::string key, std::string name, const Source* source) {
    sources_.push_back({std::move(key), std::move(name), source});
  }

  std::optional<std::string> get(std::string_view key) const {
    auto found = std::ranges::find(
        use_.values, key, [](const auto& entry) -> std::string_view { return entry.first; });
    if (found == use_.values.end()) return std::nullopt;
    return now(*found);
  }
  std::vector<std::tuple<std::string, std::string>> all() const {
    std::vector<std::tuple<std::string, std::string>> all;
    for (const auto& entry : use_.values) all.emplace_back(entry.first, now(entry));
    return all;
  }

 private:
  struct From {
    std::string key;  // kEvery: all keys that have none of their own.
    std::string name;
    const Source* source;
  };

  std::string now(const std::pair<std::string, std::string>& entry) const {
    auto own = std::ranges::find(sources_, entry.first, &From::key);
    if (own == sources_.end()) {
      own = std::ranges::find(sources_, ConfigCapability::kEvery, &From::key);
    }
    if (own == sources_.end() || own->source == nullptr) return entry.second;
    return own->source->get(own->name.empty() ? entry.first : own->name).value_or(entry.second);
  }

  const Use& use_;
  std::vector<From> sources_;
};

// All versions have the same two functions; only the name of the error differs. A key that is not
// set, whatever it looks like, has no value; nothing here fails.
template <class Base, class E>
class Host final : public Base {
 public:
  explicit Host(LiveValues values) : values_(std::move(values)) {}

  Answer<std::expected<std::optional<std::string>, E>> get(Call&, std::string_view key) override {
    return std::expected<std::optional<std::string>, E>(values_.get(key));
  }

  Answer<std::expected<std::vector<std::tuple<std::string, std::string>>, E>> get_all(
      Call&) override {
    return std::expected<std::vector<std::tuple<std::string, std::string>>, E>(values_.all());
  }

 private:
  const LiveValues values_;
};

template <class Base, class E, class Binding>
std::unique_ptr<Provider> make(LiveValues values) {
  return std::make_unique<Hosted<Host<Base, E>, Binding>>(std::move(values));
}

using Make = std::unique_ptr<Provider> (*)(LiveValues);

constexpr OfferTable<Make, 4> kTable({
    {{rc1::store::kName, rc1::store::kFunctions},
     make<rc1::store::Host, rc1::store::Error, rc1::store::Binding>},
    {{draft::store::kName, draft::store::kFunctions},
     make<draft::store::Host, draft::store::Error, draft::store::Binding>},
    {{dated::store::kName, dated::store::kFunctions},
     make<dated::store::Host, dated::store::Error, dated::store::Binding>},
    {{draft::runtime::kName, draft::runtime::kFunctions},
     make<draft::runtime::Host, draft::runtime::ConfigError, draft::runtime::Binding>},
});

}  // namespace

std::span<const Offer> ConfigCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> ConfigCapability::drivers() const {
  return kDrivers;
}

Result<void> ConfigCapability::look(const DriverChoice& choice) const {
  if (choice.driver == kManifest) return {};
  TRY(auto source, make_source(choice));
  if (choice.driver == kEtcd) return {};
  return source->open();
}

Result<void> ConfigCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kManifest) return {};
  TRY(auto source, make_source(choice));
  return source->open();
}

Result<void> ConfigCapability::prepare(const Use& use) {
  for (const auto& [key, choice] : use.drivers) {
    if (choice.driver == kManifest || find(choice) != nullptr) continue;
    TRY(auto source, make_source(choice));
    TRY_VOID(source->open());
    if (choice.driver == kFile) watch_.add(*source);
    chosen_.push_back({choice, std::move(source)});
  }
  return {};
}

Source* ConfigCapability::find(const DriverChoice& choice) const {
  auto found = std::ranges::find(chosen_, choice, &Chosen::choice);
  return found == chosen_.end() ? nullptr : found->source.get();
}

std::unique_ptr<Provider> ConfigCapability::provider(const Offer& offer, Site site) {
  LiveValues values(site.use);
  for (const auto& [key, choice] : site.use.drivers) {
    Source* source = find(choice);
    CHECK(source != nullptr || choice.driver == kManifest);
    values.add(key, key == kEvery ? "" : name_at(choice, key), source);
  }
  return kTable.maker(offer)(std::move(values));
}

}  // namespace weft::config
