#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/library/chunks.h"

namespace weft::node::library {

// One module's bytes on disk: a part, whose chunks come, or the whole. Blocks. Under its owner's
// lock but for `list`.
class ModuleFile {
 public:
  enum class State : std::uint8_t {
    kNew,   // A part with nothing in it.
    kPart,  // A part from before: what is in it is looked at first.
    kWhole,
  };

  ModuleFile(std::filesystem::path folder, ChunkList list, State state);

  // Where the files of a module are.
  static std::filesystem::path place(const std::filesystem::path& folder, const Hash& name,
                                     std::string_view ending);

  const ChunkList& list() const { return list_; }
  bool whole() const { return whole_; }
  std::filesystem::path path() const { return whole_ ? whole_path_ : part_path_; }

  // An empty part as large as the module, with its room taken on the disk where the disk can.
  Result<void> create() const;
  // Which chunks verified.
  Result<const ChunkBits*> bits();
  // A chunk that verified, into the part.
  Result<void> write(std::size_t index, BytesView chunk);
  // Verified again: kCorrupt where it is not that chunk any more, which is then missing.
  Result<Bytes> read(std::size_t index);
  // All chunks of a whole one, unless the file is the one that verified before. kCorrupt where some
  // are not what they were; they are missing then.
  Result<void> verify();

  // What is written is on the disk.
  Result<void> sync() const;
  // Renames it. The part of a damaged module has the module's size again.
  Result<void> become_whole();
  Result<void> become_part();

 private:
  // What a file looks like from outside. It changes with every write to the file.
  struct Looks {
    dev_t device;
    ino_t inode;
    off_t size;
    std::int64_t modified_ns;
    std::int64_t changed_ns;
    friend bool operator==(const Looks&, const Looks&) = default;
  };
  static Result<Looks> looks_of(int file);

  Result<Fd> open(int flags) const;
  Result<void> look_through(int file);
  // Whether the chunk on the disk is what it has to be.
  bool chunk_is_good(int file, std::size_t index, std::span<std::uint8_t> room) const;

  const std::filesystem::path part_path_;
  const std::filesystem::path whole_path_;
  const ChunkList list_;
  bool whole_;
  bool known_;  // Whether `bits_` were looked at, or stand for a whole module not looked at yet.
  ChunkBits bits_;
  std::optional<Looks> verified_;
};

}  // namespace weft::node::library
