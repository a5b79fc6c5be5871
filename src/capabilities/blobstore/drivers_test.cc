// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/blobstore/conformance.h"

namespace weft::blobstore {
namespace {

INSTANTIATE_TEST_SUITE_P(
    blobstore, Conformance,
    ::testing::Values(Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
                      Driver{"files", files_backend}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::blobstore
