#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/problems.h"
#include "app/table_reader.h"
#include "app/toml.h"

namespace weft {

// How a component in C or C++ is compiled by weft itself:
// build = { language = "c++", sources = ["main.cc"], world = "http" }.
struct BuildSettings {
  enum class Language : unsigned char { kC, kCxx };

  Place place = {};
  Language language = Language::kCxx;
  std::vector<Placed> sources = {};  // From weft.toml's folder.
  // One of the SDK's worlds, or with `wit` a world of that package; empty: its only one.
  Placed world = {};
  std::optional<Placed> wit = {};  // A .wit file or a folder, from weft.toml's folder.
  std::vector<Placed> flags = {};  // More for the compiler.

  static constexpr std::size_t kSourcesMax = 1000;

  // Of the value of `build` when it is a table. `where`, for messages: [component.cart].build.
  static BuildSettings read(const TomlValue& table, std::string where, Problems& problems);
};

// The worlds of the SDK: http (WASI 0.3), http-p2 (WASI 0.2), command.
bool is_sdk_world(std::string_view name);

}  // namespace weft
