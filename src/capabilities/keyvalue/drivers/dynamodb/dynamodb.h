#pragma once

#include <memory>
#include <span>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/drivers/dynamodb/client.h"

namespace weft::keyvalue::dynamodb {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// A table as a backend; nothing is asked of it before somebody wants something.
std::unique_ptr<Backend> dynamodb_backend(Settings settings);

}  // namespace weft::keyvalue::dynamodb
