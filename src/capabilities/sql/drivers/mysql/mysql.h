#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/secret.h"
#include "capabilities/capability.h"
#include "capabilities/sql/drivers/pooled/backend.h"

namespace weft::sql::mysql {

// MariaDB or MySQL, as an operator names it.
struct Settings {
  std::string host;
  std::uint16_t port = 3306;
  std::string user;
  Secret password = {};
  bool tls = false;
  std::string authorities = {};  // A file in PEM form; empty: the system's.
  std::string database;          // May hold {app} and {name}; made when it is not there.
  pooled::Options options = {};
};

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, in words that show nothing of the URL.
Result<Settings> read_settings(const DriverChoice& choice);

// No connection is made before a statement needs one.
std::unique_ptr<Backend> mysql_backend(Settings settings);

}  // namespace weft::sql::mysql
