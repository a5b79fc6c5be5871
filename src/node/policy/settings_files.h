#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/problems.h"
#include "app/toml.h"

namespace weft::node {

// FOLDER/node.toml and FOLDER/node.d/*.toml, in the order of their names, each as it stands there.
// What does not read is told, and left out.
std::vector<TomlValue> read_each_file(const std::filesystem::path& folder, Problems& problems);

// The same as one table: tables of the same name are joined, and a key that two files give a value
// is an error, told at the second with the place of the first. Nothing where a file does not read;
// all of it is told.
std::optional<TomlValue> read_settings_files(const std::filesystem::path& folder,
                                             Problems& problems);

// Adds what `more` has.
void join_tables(TomlValue& into, TomlValue more, const std::string& where, Problems& problems);

}  // namespace weft::node
