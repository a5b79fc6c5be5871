#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "node/library/chunks.h"
#include "node/library/module_owners.h"
#include "node/library/storage_meter.h"

namespace weft::node::library {

class ModuleFile;
class ModuleStore;

// Modules in one store, partial ones too.
inline constexpr std::size_t kModulesMax = 4'096;

// What a module costs whoever stores it: its bytes, its list and its owners, in blocks of the disk.
std::uint64_t stored_bytes(const ChunkList& list);

// A whole module that verified. While it lives, the file is neither evicted nor removed; it is
// outlived by the store. Move-only; may go on any thread, where it may unlink a file.
class ModuleInUse {
 public:
  ModuleInUse(ModuleInUse&& other) noexcept;
  ModuleInUse& operator=(ModuleInUse&& other) noexcept;
  ~ModuleInUse();

  // For the engine to load.
  const std::filesystem::path& path() const { return path_; }
  const ChunkList& list() const;

 private:
  friend class ModuleStore;
  struct Held;
  explicit ModuleInUse(std::unique_ptr<Held> held, std::filesystem::path path);

  std::unique_ptr<Held> held_;
  std::filesystem::path path_;
};

// What is known of a module without a look at the disk.
struct ModuleInfo {
  Hash name = {};
  std::uint64_t size = 0;
  bool whole = false;
  std::vector<ModuleOwner> owners = {};
};

// What a store has in all.
struct StoreUse {
  std::size_t modules = 0;
  std::size_t whole = 0;
  std::uint64_t bytes = 0;  // With what is taken for chunks that are still to come.
  std::uint64_t bytes_max = 0;
};

enum class PutOutcome : std::uint8_t {
  kMore,   // Taken, or there already; others are missing.
  kWhole,  // The module is whole now, or was.
};

// Modules by hash, in a folder of its own; see README.md for the files. One per node, owned by it.
// From any thread; everything but `info`, `list` and `use_of_room` blocks on the disk and belongs
// on the Pool. A full disk or a full store is kFull and leaves nothing of what was begun behind.
class ModuleStore {
 public:
  struct Options {
    std::filesystem::path folder = {};  // Made where it is not there.
    std::uint64_t bytes_max = 0;        // Of all that is in it, once for every module.
  };

  // Looks at what is there: lists are verified, half-made things go, groups are charged. The bytes
  // of the modules are not read yet. `meter` outlives the store.
  static Result<std::unique_ptr<ModuleStore>> open(Options options, StorageMeter& meter);
  ModuleStore(const ModuleStore&) = delete;
  ModuleStore& operator=(const ModuleStore&) = delete;
  ~ModuleStore();

  // Makes `group` an owner of the module and takes room for all of it, where it is not there yet.
  // What is there already stays, with its chunks. The meter's failure when the group may not;
  // kFull when no other module can go for it.
  Result<void> begin(const ChunkList& list, std::string_view group, Keep keep = Keep::kWhileRoom);
  // kCorrupt when the bytes are not that chunk: whoever sent them lied, or the way did; nothing
  // else is lost. kInvalid for an index that is none, kNotFound when the module was not begun or
  // is gone again.
  Result<PutOutcome> put(const Hash& name, std::size_t index, BytesView chunk);
  // Which chunks verified. Of a whole module all, unless `read` or `use` found otherwise.
  Result<ChunkBits> have(const Hash& name);
  // One chunk, verified. kNotFound when it is not there; kCorrupt when the disk has changed it:
  // then it is not there from now on.
  Result<Bytes> read(const Hash& name, std::size_t index);
  Result<ChunkList> list_of(const Hash& name) const;
  // kNotFound when it is not there or not whole; kCorrupt when the disk has changed it. The first
  // time, and when its file was touched, all of it is read.
  Result<ModuleInUse> use(const Hash& name);
  // Where the file of a whole module is: the same checks, and nothing keeps it there.
  Result<std::filesystem::path> path(const Hash& name);

  // Stores a file of this machine and says its name.
  Result<Hash> add_file(const std::filesystem::path& file, std::string_view group,
                        Keep keep = Keep::kWhileRoom);

  // The group pins it or lets it go when room is needed. kNotFound when the group is no owner.
  Result<void> set_keep(const Hash& name, std::string_view group, Keep keep);
  // The group is no owner any more; without one the module goes, as soon as nobody uses it.
  Result<void> remove(const Hash& name, std::string_view group);
  // For all of its owners.
  Result<void> remove_for_all(const Hash& name);

  // kNotFound when nothing of it is there.
  Result<ModuleInfo> info(const Hash& name) const;
  // In the order of their names.
  std::vector<ModuleInfo> list() const;
  StoreUse use_of_room() const;

 private:
  friend class ModuleInUse;
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;  // Shared with the calls that work on it while it goes.

  ModuleStore(Options options, StorageMeter& meter);

  Result<void> load();
  Result<void> load_one(const Hash& name);
  std::filesystem::path place(const Hash& name, std::string_view ending) const;
  // The module, which was used now.
  Result<EntryPtr> find(const Hash& name);
  // The following under the module's lock. A part with all of its chunks becomes a whole module.
  Result<void> settle(Entry& entry);
  // What the disk has changed is a part.
  void mend(Entry& entry);
  // The following under `mutex_`.
  void touch(Entry& entry);
  Result<void> charge(std::string_view group, std::uint64_t bytes);
  void give_back(std::string_view group, std::uint64_t bytes);
  // The modules that `may_go` says, the least recently used first, and nobody uses.
  template <class MayGo>
  std::vector<EntryPtr> oldest(MayGo&& may_go) const;
  Result<void> make_room(std::uint64_t bytes);
  Result<void> create(const ChunkList& list, std::string_view group, Keep keep);
  Result<void> write_owners(const Hash& name, std::span<const ModuleOwner> owners) const;
  Result<void> add_owner(Entry& entry, std::string_view group, Keep keep);
  void drop_owner(const EntryPtr& entry, std::string_view group);
  void drop(const EntryPtr& entry);
  void unlink_files(const Hash& name) const;
  void release(const EntryPtr& entry);

  const Options options_;
  StorageMeter& meter_;
  // Over the map and what it says of each module, and over making, renaming and unlinking files. A
  // module's own lock, over its bytes, is taken first where both are.
  mutable std::mutex mutex_;
  std::unordered_map<Hash, EntryPtr, HashOfHash> entries_;
  std::uint64_t bytes_ = 0;
  std::uint64_t uses_ = 0;  // Counts up: the greater a module's number, the later it was used.
};

}  // namespace weft::node::library
