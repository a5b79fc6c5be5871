// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/conformance.h"
#include "capabilities/messaging/log_broker.h"

namespace weft::messaging {
namespace {

INSTANTIATE_TEST_SUITE_P(messaging, Conformance,
                         ::testing::Values(Driver{"memory",
                                                  [](StateFolderOnDemand&) {
                                                    return log_backend(keyvalue::memory_backend());
                                                  },
                                                  false},
                                           Driver{"embedded",
                                                  [](StateFolderOnDemand& state) {
                                                    return log_backend(
                                                        keyvalue::lmdb_backend(state));
                                                  }}),
                         [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::messaging
