#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"

namespace weft::node::links {

// Bytes of a module that is fetched.
inline constexpr std::size_t kFetchedBytesMax = std::size_t{64} << 20;

// Modules that were fetched: HASH.wasm in a folder, and WHICH.name, which says what a node's
// library was when it was asked last. Blocks on the disk; from any thread.
class Fetched {
 public:
  explicit Fetched(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The file, if its bytes are those of that name still.
  std::optional<std::filesystem::path> find(const Hash& module) const;
  // What `at` said that this library is.
  std::optional<Hash> last(const std::string& at, const std::string& library) const;

  Result<std::filesystem::path> keep(const Hash& module, BytesView bytes) const;
  Result<void> remember(const std::string& at, const std::string& library,
                        const Hash& module) const;

 private:
  std::filesystem::path name_file(const std::string& at, const std::string& library) const;
  Result<void> make_folder() const;

  const std::filesystem::path folder_;
};

}  // namespace weft::node::links
