#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/secret.h"
#include "capabilities/capability.h"
#include "capabilities/sql/drivers/pooled/backend.h"

namespace weft::sql::postgres {

// PostgreSQL, as an operator names it.
struct Settings {
  Secret url;               // "postgresql://user@host:5432/database?sslmode=verify-full"
  Secret password = {};     // In the place of one in the URL.
  std::string schema = {};  // May hold {app} and {name}; made when it is not there.
  pooled::Options options = {};
};

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, in words that show nothing of the URL.
Result<Settings> read_settings(const DriverChoice& choice);

// No connection is made before a statement needs one.
std::unique_ptr<Backend> postgres_backend(Settings settings);

}  // namespace weft::sql::postgres
