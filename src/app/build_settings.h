#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/problems.h"
#include "app/table_reader.h"
#include "app/toml.h"

namespace weft {

// How a component is compiled by weft itself, in C or C++:
// build = { language = "c++", sources = ["main.cc"], world = "http" }; or by the tools of Go or
// Rust, which find the sources themselves: build = { language = "go", wit = "wit" }.
struct BuildSettings {
  enum class Language : unsigned char { kC, kCxx, kGo, kRust };

  Place place = {};
  Language language = Language::kCxx;
  std::vector<Placed> sources = {};  // C, C++: from weft.toml's folder.
  // Go, Rust: where go.mod or Cargo.toml is, from weft.toml's folder; empty: there.
  std::string folder = {};
  // One of the SDK's worlds, or with `wit` a world of that package; empty: its only one. Go without
  // `wit` is a command. Rust says its world in its sources.
  Placed world = {};
  std::optional<Placed> wit = {};  // A .wit file or a folder, from weft.toml's folder.
  std::vector<Placed> flags = {};  // More for the compiler, or for `go build` and `cargo build`.

  static constexpr std::size_t kSourcesMax = 1000;

  // Of the value of `build` when it is a table. `where`, for messages: [component.cart].build.
  static BuildSettings read(const TomlValue& table, std::string where, Problems& problems);

 private:
  void read_sources(TableReader& reader, Problems& problems);
  void read_world(TableReader& reader, Problems& problems);
};

// The worlds of the SDK: http (WASI 0.3), http-p2 (WASI 0.2), command.
bool is_sdk_world(std::string_view name);

}  // namespace weft
