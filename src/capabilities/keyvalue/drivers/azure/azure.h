#pragma once

#include <memory>
#include <span>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "remote/azure/access.h"

namespace weft::keyvalue::azure {

inline constexpr std::size_t kPrefixBytesMax = 64;

// What an operator sets: see the README of this folder.
struct Settings {
  remote::azure::Settings server = {};
  std::string prefix = "weft-keyvalue";
  std::size_t page_keys = kListPageKeys;  // Of a list.
};

std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// Blobs of one container of a storage account as a backend; nothing is asked of it before somebody
// wants something.
std::unique_ptr<Backend> azure_backend(Settings settings);

}  // namespace weft::keyvalue::azure
