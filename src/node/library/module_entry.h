#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

#include "node/library/module_file.h"
#include "node/library/module_store.h"

namespace weft::node::library {

// A module as the store knows it. Shared by the store and the calls that work on it.
struct ModuleStore::Entry {
  Entry(ModuleFile bytes, std::vector<ModuleOwner> owned_by)
      : file(std::move(bytes)), whole(file.whole()), owners(std::move(owned_by)) {}

  const ChunkList& list() const { return file.list(); }
  const Hash& name() const { return file.list().name(); }

  // Over `file`, but for its list. Taken before the store's.
  std::mutex mutex;
  ModuleFile file;
  // Written under both locks.
  std::atomic<bool> whole;

  // Under the store's lock.
  std::vector<ModuleOwner> owners;
  std::uint64_t used = 0;
  std::chrono::steady_clock::time_point stamped = {};  // When the disk was told of a use.
  std::size_t holders = 0;                             // ModuleInUse of it.
  bool unwanted = false;  // It has lost its last owner: it goes with its last holder.
  bool gone = false;      // Its files are another entry's now, or nobody's.
};

struct ModuleInUse::Held {
  ModuleStore& store;
  ModuleStore::EntryPtr entry;
};

}  // namespace weft::node::library
