#include "capabilities/blobstore/drivers/azure/azure.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "capabilities/shared_by.h"
#include "io/loop.h"

namespace weft::blobstore::azure {
namespace {

using remote::azure::Blobs;

constexpr std::array<DriverKey, 9> kKeys{{{"account", DriverKey::Kind::kText, "myaccount"},
                                          {"container", DriverKey::Kind::kText, "mycontainer"},
                                          {"key"},
                                          {"sas"},
                                          {"url"},
                                          {"prefix"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"timeout", DriverKey::Kind::kDuration},
                                          {"part-size", DriverKey::Kind::kSize}}};

// What is bound to fit beside a name of 1,024 bytes that is spelled otherwise.
constexpr std::size_t kPrefixBytesMax = 256;
constexpr std::uint64_t kPartBytesMin = std::uint64_t{1} << 20;
constexpr std::uint64_t kPartBytesMax = std::uint64_t{512} << 20;

class AzureBackend final : public Backend {
 public:
  explicit AzureBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override {
    if (remote::azure::unencrypted(settings_->server)) {
      log::warn("blobstore", "objects cross the network unencrypted: write https://",
                {{"url", fmt::format("http://{}", settings_->server.host)}});
    }
    return HttpClient::check({.ca_file = settings_->server.ca_file});
  }

  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<AzureStore>(place(loop));
  }

  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto ask = [](Place asked, Deadline until) -> Task<void> {
      co_return co_await asked.blobs->reach(until);
    };
    loop.spawn(ask(place(loop), deadline), std::move(done));
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  Place place(Loop& loop) {
    auto make = [&] {
      return std::make_shared<Blobs>(
          loop, std::shared_ptr<const remote::azure::Settings>(settings_, &settings_->server));
    };
    return {clients_.get(&loop, make), settings_};
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the stores, which may outlive it.
  PerLoop<Blobs> clients_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  remote::azure::Access access;
  if (const Secret* account = choice.find("account")) access.account = account->reveal();
  if (const Secret* container = choice.find("container")) access.container = container->reveal();
  if (const Secret* key = choice.find("key")) access.key = *key;
  if (const Secret* sas = choice.find("sas")) access.sas = *sas;
  if (const Secret* url = choice.find("url")) access.url = *url;
  if (const Secret* file = choice.find("ca-file")) access.ca_file = file->reveal();
  TRY(access.timeout, choice.duration("timeout", access.timeout));
  Settings settings;
  TRY(settings.server, remote::azure::read_access(access));
  if (const Secret* prefix = choice.find("prefix")) {
    settings.prefix = prefix->reveal();
    bool whole = settings.prefix->empty() || settings.prefix->ends_with('/');
    if (!whole || settings.prefix->starts_with('/') || settings.prefix->size() > kPrefixBytesMax) {
      return failure(Errc::kInvalid, fmt::format("prefix: write one like \"photos/\", of at most "
                                                 "{} bytes, or \"\" for the whole container",
                                                 kPrefixBytesMax));
    }
  }
  if (const Secret* size = choice.find("part-size")) {
    TRY(std::uint64_t bytes, parse_size(size->reveal()));
    if (bytes < kPartBytesMin || bytes > kPartBytesMax) {
      return failure(Errc::kInvalid, "part-size: 1MiB to 512MiB");
    }
    settings.part_bytes = static_cast<std::size_t>(bytes);
  }
  return settings;
}

std::unique_ptr<Backend> azure_backend(Settings settings) {
  settings.server.health = std::make_shared<remote::Health>(settings.server.host);
  return std::make_unique<AzureBackend>(std::move(settings));
}

}  // namespace weft::blobstore::azure
