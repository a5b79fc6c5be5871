#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace weft {

// The SDK as files: a folder of the cache that belongs to what this binary has embedded, so that
// versions of weft do not disturb each other. What is compiled once for all apps is kept there too.
class SdkFolder {
 public:
  // Versions that are kept; older ones go when a new one is unpacked.
  static constexpr std::size_t kVersionsMax = 4;
  // How long a build waits for another one's.
  static constexpr std::chrono::minutes kLockMax{5};

  // Unpacks it below `cache`, the user's cache folder of weft, unless it is there.
  static Result<SdkFolder> open(const std::string& cache);

  // Held by who writes below it, so that two builds at once do not. Waits for the other.
  Result<Fd> lock() const;

  const std::string& path() const { return path_; }
  std::string headers() const { return path_ + "/sdk/cpp"; }
  // The folder of one of the SDK's worlds.
  std::string world(const std::string& name) const { return path_ + "/sdk/wit/" + name; }
  // Where bindings and what is compiled of a world are kept.
  std::string compiled(const std::string& name) const { return path_ + "/compiled/" + name; }

  // The packages beside WASI that WIT at `wit` may use and does not bring: those whose interfaces
  // it names.
  std::vector<std::string> packages(const std::string& wit) const;

 private:
  explicit SdkFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// Writes a file whole or not at all, and the folders above it.
Result<void> write_file(const std::string& path, std::string_view text);
Result<std::string> read_file(const std::string& path);

}  // namespace weft
