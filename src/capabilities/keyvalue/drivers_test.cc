// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/keyvalue/conformance.h"
#include "capabilities/keyvalue/drivers/redis/redis.h"
#include "capabilities/keyvalue/drivers/redis/server.h"

namespace weft::keyvalue {
namespace {

std::unique_ptr<Backend> empty_redis(StateFolderOnDemand&) {
  remote::RealServer& server = redis::shared_server();
  redis::empty(server);
  redis::Settings settings;
  settings.endpoint = {"127.0.0.1", server.port()};
  return redis::redis_backend(std::move(settings));
}

INSTANTIATE_TEST_SUITE_P(
    keyvalue, Conformance,
    ::testing::Values(Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
                      Driver{"lmdb", lmdb_backend}, Driver{"redis", empty_redis}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::keyvalue
