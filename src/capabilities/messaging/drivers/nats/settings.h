#pragma once

#include "capabilities/capability.h"
#include "remote/nats/client.h"

namespace weft::messaging::nats {

// Where the server is and who comes, out of the keys that all drivers for NATS have: kInvalid, or
// what is wrong with a file that is named. Has a `health` that its clients share.
Result<remote::nats::Settings> read_server(const DriverChoice& choice);

}  // namespace weft::messaging::nats
