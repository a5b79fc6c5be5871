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

// C++ for a guest of the one world of a description: `guest.hpp`, which includes a header for each
// interface, and `guest.cc`. Fails when the description has no world, or asks for what cannot be
// served. With kOwn the interfaces of WASI are left out, whose types no other uses: bindings in C,
// which the SDK is written against, have them.
enum class GuestScope : unsigned char { kAll, kOwn };
Result<std::vector<GeneratedFile>> generate_guest(std::string_view input,
                                                  GuestScope scope = GuestScope::kAll);

// A program that serves interfaces to weft as a process of its own.
struct ProviderFiles {
  std::vector<GeneratedFile> generated;  // below generated/, anew each time
  std::vector<GeneratedFile> once;       // a person's, who goes on from them
};

// What serves the interfaces of a description: those named, in full or in short; those that its
// worlds export; or all of its last package. `name` is the program's.
Result<ProviderFiles> generate_provider(std::string_view input,
                                        const std::vector<std::string>& interfaces,
                                        std::string_view name);

// Writes those of the files that are not there, and says of each whether it was written.
Result<std::vector<bool>> write_missing(const std::vector<GeneratedFile>& files,
                                        const std::filesystem::path& folder);

// Writes the files below `folder`, and `unit` (when not empty), a source that includes all their
// sources. A file that would not change is left alone.
Result<void> write_files(const std::vector<GeneratedFile>& files,
                         const std::filesystem::path& folder, const std::filesystem::path& unit);

}  // namespace weft::bindgen
