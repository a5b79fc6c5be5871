// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/blobstore/conformance.h"
#include "capabilities/blobstore/drivers/azure/azure.h"
#include "capabilities/blobstore/drivers/azure/server.h"
#include "capabilities/blobstore/drivers/s3/s3.h"
#include "capabilities/blobstore/drivers/s3/server.h"

namespace weft::blobstore {
namespace {

std::unique_ptr<Backend> s3_backend(StateFolderOnDemand&) {
  std::uint16_t port = s3::shared_server().port();
  return s3::s3_backend(s3::settings_for(port, s3::new_bucket(port)));
}

std::unique_ptr<Backend> azure_backend(StateFolderOnDemand&) {
  std::uint16_t port = remote::azure::shared_server().port();
  return azure::azure_backend(azure::settings_for(port, remote::azure::new_container(port)));
}

std::vector<Driver> drivers() {
  std::vector<Driver> all{Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
                          Driver{"files", files_backend},
                          // Swift looks which file has an object, and opens it when it may be gone.
                          Driver{"s3", s3_backend, true}};
  if (remote::azure::has_server()) all.push_back(Driver{"azure_blob", azure_backend});
  return all;
}

INSTANTIATE_TEST_SUITE_P(blobstore, Conformance, ::testing::ValuesIn(drivers()),
                         [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::blobstore
