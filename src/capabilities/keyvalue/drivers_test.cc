// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/keyvalue/conformance.h"

namespace weft::keyvalue {
namespace {

INSTANTIATE_TEST_SUITE_P(
    keyvalue, Conformance,
    ::testing::Values(Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
                      Driver{"lmdb", lmdb_backend}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::keyvalue
