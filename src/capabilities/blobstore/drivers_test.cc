// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/blobstore/conformance.h"
#include "capabilities/blobstore/drivers/s3/s3.h"
#include "capabilities/blobstore/drivers/s3/server.h"

namespace weft::blobstore {
namespace {

std::unique_ptr<Backend> s3_backend(StateFolderOnDemand&) {
  std::uint16_t port = s3::shared_server().port();
  return s3::s3_backend(s3::settings_for(port, s3::new_bucket(port)));
}

INSTANTIATE_TEST_SUITE_P(
    blobstore, Conformance,
    ::testing::Values(Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
                      Driver{"files", files_backend},
                      // Swift looks which file has an object, and opens it when it may be gone.
                      Driver{"s3", s3_backend, true}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::blobstore
