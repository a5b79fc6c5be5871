// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include <fmt/format.h>

#include "capabilities/keyvalue/conformance.h"
#include "capabilities/keyvalue/drivers/azure/azure.h"
#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"
#include "capabilities/keyvalue/drivers/dynamodb/items.h"
#include "capabilities/keyvalue/drivers/dynamodb/server.h"
#include "capabilities/keyvalue/drivers/etcd/etcd.h"
#include "capabilities/keyvalue/drivers/nats/nats.h"
#include "capabilities/keyvalue/drivers/redis/redis.h"
#include "capabilities/keyvalue/drivers/redis/server.h"
#include "remote/azure/testing.h"
#include "remote/etcd/testing.h"
#include "remote/nats/testing.h"

namespace weft::keyvalue {
namespace {

// With servers whose machine is busy: a batch of 128 MiB takes a sanitizer long.
constexpr std::chrono::seconds kPatience{60};

std::unique_ptr<Backend> empty_redis(StateFolderOnDemand&) {
  remote::RealServer& server = redis::shared_server();
  redis::empty(server);
  redis::Settings settings;
  settings.endpoint = {"127.0.0.1", server.port()};
  settings.silence = kPatience;
  return redis::redis_backend(std::move(settings));
}

// Nothing is in it, because nobody else has its prefix.
std::unique_ptr<Backend> empty_nats(StateFolderOnDemand&) {
  static int made = 0;
  nats::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", remote::nats::shared_server().port()}};
  settings.server.silence = kPatience;
  settings.prefix = "t" + std::to_string(++made);
  return nats::nats_backend(std::move(settings));
}
constexpr std::size_t kNatsValueMax = (1UL << 20) - nats::kBesideValue;

std::unique_ptr<Backend> empty_etcd(StateFolderOnDemand&) {
  static int made = 0;
  etcd::Settings settings;
  settings.server.servers = {
      fmt::format("http://127.0.0.1:{}", remote::etcd::shared_server().port())};
  settings.server.timeout = kPatience;
  settings.prefix = "t" + std::to_string(++made);
  return etcd::etcd_backend(std::move(settings));
}

std::unique_ptr<Backend> empty_dynamodb(StateFolderOnDemand&) {
  static int made = 0;
  std::uint16_t port = dynamodb::shared_server().port();
  if (++made == 1) dynamodb::make_table(port, "weft");
  dynamodb::Settings settings = dynamodb::settings_for(port, "weft");
  settings.prefix = "t" + std::to_string(made);
  settings.timeout = kPatience;
  return dynamodb::dynamodb_backend(std::move(settings));
}

constexpr std::size_t kAzurePageKeys = 100;

std::unique_ptr<Backend> empty_azure(StateFolderOnDemand&) {
  std::uint16_t port = remote::azure::shared_server().port();
  azure::Settings settings;
  settings.server = remote::azure::settings_for(port, remote::azure::new_container(port));
  settings.server.timeout = kPatience;
  settings.page_keys = kAzurePageKeys;
  return azure::azure_backend(std::move(settings));
}

std::vector<Driver> drivers() {
  std::vector<Driver> all{Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
                          Driver{"lmdb", lmdb_backend}, Driver{"redis", empty_redis},
                          Driver{"nats", empty_nats, kNatsValueMax},
                          Driver{"etcd", empty_etcd, etcd::kEtcdValueBytesMax}};
  // Those whose server is no Debian package, where it is installed.
  if (dynamodb::has_server()) {
    all.push_back({"dynamodb", empty_dynamodb, dynamodb::kDynamodbValueBytesMax});
  }
  if (remote::azure::has_server()) {
    all.push_back(
        {.name = "azure_blob", .make = empty_azure, .page_keys = kAzurePageKeys, .increments = 30});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(keyvalue, Conformance, ::testing::ValuesIn(drivers()),
                         [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::keyvalue
