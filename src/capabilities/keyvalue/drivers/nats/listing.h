#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/nats/keys.h"
#include "io/task.h"

namespace weft::keyvalue::nats {

// Keys of a bucket that one listing looks at. Beyond it a listing fails.
inline constexpr std::size_t kListedMax = 1'000'000;

// A page of a bucket's keys in byte order. JetStream keeps them in no order: each page looks at all
// of them, through a consumer that is there for as long as that takes.
Task<Page> list_keys(std::weak_ptr<Keys> keys, Deadline deadline,
                     std::optional<std::string> cursor);

}  // namespace weft::keyvalue::nats
