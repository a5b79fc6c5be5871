#pragma once

#include <cstdint>

#include "capabilities/messaging/broker.h"

namespace weft::messaging {

// A dead letter as it lies in a log, and back.
Bytes encode_dead(const DeadLetter& letter);
Result<DeadLetter> decode_dead(BytesView bytes);

// Since 1970.
std::int64_t now_ms();

}  // namespace weft::messaging
