#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "app/problems.h"
#include "app/table_reader.h"

namespace weft::node {

// In the node's folder, and in its state, where nothing else is written.
inline constexpr std::string_view kStateUsual = "state";
inline constexpr std::string_view kControlSocketUsual = "control.sock";

// Where a node keeps what outlives it, and where its owner speaks to it: all that those need who
// look at a node or end it. A value.
struct NodePlaces {
  std::filesystem::path state = {};
  std::filesystem::path control_socket = {};

  // From `state` and `control` of [node], in FOLDER/node.toml and FOLDER/node.d/*.toml. Nothing
  // else that is wrong there matters here: whoever runs by settings that were right is still
  // reached. Nothing, and told, where a file is no TOML or one of the two is no path.
  static std::optional<NodePlaces> read(const std::filesystem::path& folder, Problems& problems);
};

// A path of a file of settings, which is relative to `folder`; `usual` where none is written, or
// what is none, which is told.
std::filesystem::path read_path(TableReader& reader, std::string_view key,
                                const std::filesystem::path& folder,
                                const std::filesystem::path& usual, Problems& problems);

}  // namespace weft::node
