#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/problems.h"
#include "app/table_reader.h"
#include "app/toml.h"
#include "base/secret.h"

namespace weft {

// A process that serves interfaces to the app's components, as the developer wrote it:
//
//   [provider.inference]
//   command = ["build/inference"]
//   config  = { threads = 4 }
//   secrets = ["licence"]
struct ProviderManifest {
  std::string name;
  Place place = {};
  // The program, from weft.toml's folder or in PATH, and its words.
  std::vector<Placed> command = {};
  std::vector<TomlEntry> config = {};  // Text, numbers and flags.
  std::vector<Placed> secrets = {};    // That it is given, by name.

  static constexpr std::size_t kProvidersMax = 32;
  static constexpr std::size_t kWordsMax = 256;

  // Of one table below [provider].
  static ProviderManifest read(const TomlEntry& entry, Problems& problems);
};

// What the process is told: an object of JSON. `over` is the operator's, key and text, of keys that
// the developer wrote: where that is a number or a flag, the text has to be one.
std::string provider_configuration(const ProviderManifest& manifest,
                                   const std::vector<std::pair<Placed, Secret>>& over,
                                   Problems& problems);

}  // namespace weft
