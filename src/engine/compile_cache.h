#pragma once

// For src/engine's own sources.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace weft {

// Compiled programs on disk, mapped when they are needed again.
//
// An artefact is machine code that the process will run: the folder must be the user's own and
// writable by nobody else, files enter it whole (written aside, synced, renamed), and beside each
// lies its length and checksum, so that a torn or damaged one is made again. The checksum is for
// accidents: who may write the folder may run code as its user anyhow. The engine checks its own
// version and settings inside the artefact. What was not used for longest leaves when the folder is
// full. Several processes may use one folder.
class CompileCache {
 public:
  // A program has three files: its artefact, the checksum, and the stamp of its source.
  static constexpr std::size_t kFilesMax = 3 * 4'096;
  static constexpr std::uint64_t kBytesMax = std::uint64_t{4} << 30;

  // Opens the folder, making it where it is not there, or says why it cannot be trusted.
  static Result<CompileCache> open(std::string folder);

  // The digest of a source that was read before and has not changed since.
  std::optional<std::string> known_digest(std::string_view stamp) const;
  void remember(std::string_view stamp, std::string_view digest) const;

  // The path of what `engine` compiled from the source with this digest, when it is there, whole
  // and ours; an error when it is damaged.
  Result<std::optional<std::string>> find(std::string_view engine, std::string_view digest) const;
  // Only a speed-up: a full disk does not stop a program that could run.
  void store(std::string_view engine, std::string_view digest, BytesView artefact) const;

 private:
  explicit CompileCache(std::string folder) : folder_(std::move(folder)) {}
  std::string path_of(std::string_view engine, std::string_view digest) const;
  void evict(std::string_view keep) const;

  std::string folder_;
};

}  // namespace weft
