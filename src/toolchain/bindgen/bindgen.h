#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft::bindgen {

// A file to be written, by its path below the output folder.
struct GeneratedFile {
  std::string path;
  std::string text;
};

// C++ for the interfaces of a description of WIT (what `weft-wit describe` prints): a header and a
// source each. Fails when the description is not one, or asks for what cannot be served.
Result<std::vector<GeneratedFile>> generate(std::string_view input);

// Writes the files below `folder`, and `unit` (when not empty), a source that includes all their
// sources. A file that would not change is left alone.
Result<void> write_files(const std::vector<GeneratedFile>& files,
                         const std::filesystem::path& folder, const std::filesystem::path& unit);

}  // namespace weft::bindgen
