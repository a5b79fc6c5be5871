// Who pays for the modules of a store, and which of them go when there is no room.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/whole_file.h"
#include "node/library/module_entry.h"
#include "node/library/names.h"

namespace weft::node::library {
namespace {

constexpr std::uint64_t kDiskBlock = 4'096;
// The time of the owners' file is that of the last use, as well as this.
constexpr std::chrono::minutes kUseStampEvery{1};

std::uint64_t in_blocks(std::uint64_t bytes) {
  return (bytes + kDiskBlock - 1) / kDiskBlock * kDiskBlock;
}

auto is_group(std::string_view group) {
  return [group](const ModuleOwner& owner) { return owner.group == group; };
}

bool is_pinned(const ModuleOwner& owner) {
  return owner.keep == Keep::kPinned;
}

}  // namespace

std::uint64_t stored_bytes(const ChunkList& list) {
  std::uint64_t list_bytes = sizeof(std::uint64_t) + list.count() * Hash::kBytes;
  return in_blocks(list.size()) + in_blocks(list_bytes) + kDiskBlock;
}

void ModuleStore::touch(Entry& entry) {
  entry.used = ++uses_;
  auto now = std::chrono::steady_clock::now();
  if (now - entry.stamped < kUseStampEvery) return;
  entry.stamped = now;
  // Where it cannot be told, the module goes earlier after a restart than it would have to.
  (void)::utimensat(AT_FDCWD, place(entry.name(), ".owners").c_str(), nullptr, 0);
}

template <class MayGo>
std::vector<ModuleStore::EntryPtr> ModuleStore::oldest(MayGo&& may_go) const {
  std::vector<EntryPtr> found;
  for (const auto& [name, entry] : entries_) {
    if (entry->holders == 0 && may_go(*entry)) found.push_back(entry);
  }
  std::ranges::sort(found, {}, [](const EntryPtr& entry) { return entry->used; });
  return found;
}

void ModuleStore::give_back(std::string_view group, std::uint64_t bytes) {
  if (group != kOwnGroup) meter_.give_back(group, bytes);
}

Result<void> ModuleStore::charge(std::string_view group, std::uint64_t bytes) {
  if (group == kOwnGroup) return {};
  auto taken = meter_.take(group, bytes);
  if (taken || taken.error().code() != Errc::kLimit) return taken;
  // The group's own go, as many as it takes, and none where all of them are not enough.
  auto own = oldest([&](const Entry& entry) {
    auto owner = std::ranges::find_if(entry.owners, is_group(group));
    return owner != entry.owners.end() && !is_pinned(*owner);
  });
  std::size_t given = 0;
  while (!taken && given < own.size()) {
    meter_.give_back(group, stored_bytes(own[given++]->list()));
    taken = meter_.take(group, bytes);
  }
  for (std::size_t i = 0; i < given; ++i) {
    meter_.keep(group, stored_bytes(own[i]->list()));
    if (taken) drop_owner(own[i], group);
  }
  return taken;
}

Result<void> ModuleStore::make_room(std::uint64_t bytes) {
  auto fits = [&](std::uint64_t used, std::size_t modules) {
    return used + bytes <= options_.bytes_max && modules < kModulesMax;
  };
  auto others =
      oldest([](const Entry& entry) { return std::ranges::none_of(entry.owners, is_pinned); });
  std::uint64_t used = bytes_;
  std::size_t going = 0;
  while (!fits(used, entries_.size() - going) && going < others.size()) {
    used -= stored_bytes(others[going++]->list());
  }
  if (!fits(used, entries_.size() - going)) {
    return failure(Errc::kFull,
                   fmt::format("there is no room for {} more bytes: the store has at most {}, and "
                               "what is pinned or in use does not go",
                               bytes, options_.bytes_max));
  }
  for (std::size_t i = 0; i < going; ++i) drop(others[i]);
  return {};
}

Result<void> ModuleStore::write_owners(const Hash& name,
                                       std::span<const ModuleOwner> owners) const {
  return write_whole(place(name, ".owners"), as_bytes(owners_text(owners)), Durable::kNo);
}

Result<void> ModuleStore::add_owner(Entry& entry, std::string_view group, Keep keep) {
  auto owners = entry.owners;
  auto there = std::ranges::find_if(owners, is_group(group));
  bool is_new = there == owners.end();
  if (!is_new) {
    // What is pinned stays so until `set_keep`.
    if (there->keep == Keep::kPinned || there->keep == keep) return {};
    there->keep = keep;
  } else {
    if (owners.size() >= kOwnersMax) {
      return failure(Errc::kLimit, "as many groups as may have one module have this one");
    }
    TRY_VOID(charge(group, stored_bytes(entry.list())));
    owners.push_back({std::string(group), keep});
  }
  auto written = write_owners(entry.name(), owners);
  if (!written) {
    if (is_new) give_back(group, stored_bytes(entry.list()));
    return written;
  }
  entry.owners = std::move(owners);
  entry.unwanted = false;
  return {};
}

void ModuleStore::drop_owner(const EntryPtr& entry, std::string_view group) {
  if (std::erase_if(entry->owners, is_group(group)) == 0) return;
  give_back(group, stored_bytes(entry->list()));
  if (entry->owners.empty()) return drop(entry);
  // Where it cannot be written, the group has it again after a restart.
  (void)write_owners(entry->name(), entry->owners);
}

void ModuleStore::drop(const EntryPtr& entry) {
  std::uint64_t size = stored_bytes(entry->list());
  for (const ModuleOwner& owner : entry->owners) give_back(owner.group, size);
  entry->owners.clear();
  entry->unwanted = true;
  if (entry->holders > 0) return;
  unlink_files(entry->name());
  entry->gone = true;
  bytes_ -= size;
  entries_.erase(entry->name());
}

void ModuleStore::unlink_files(const Hash& name) const {
  // The bytes last: without its list a module is known again by what it is.
  for (std::string_view ending : {".part", ".wasm", ".list", ".owners"}) {
    ::unlink(place(name, ending).c_str());
  }
}

void ModuleStore::release(const EntryPtr& entry) {
  std::scoped_lock lock(mutex_);
  CHECK(entry->holders > 0);
  if (--entry->holders == 0 && entry->unwanted && !entry->gone) drop(entry);
}

Result<void> ModuleStore::create(const ChunkList& list, std::string_view group, Keep keep) {
  std::uint64_t size = stored_bytes(list);
  TRY_VOID(charge(group, size));
  std::vector<ModuleOwner> owners{{std::string(group), keep}};
  ModuleFile file(options_.folder, list, ModuleFile::State::kNew);
  Result<void> made = make_room(size);
  if (made) made = write_whole(place(list.name(), ".list"), list.encode(), Durable::kNo);
  if (made) made = write_owners(list.name(), owners);
  if (made) made = file.create();
  if (!made) {
    unlink_files(list.name());
    give_back(group, size);
    return made;
  }
  auto entry = std::make_shared<Entry>(std::move(file), std::move(owners));
  entry->stamped = std::chrono::steady_clock::now();
  entry->used = ++uses_;
  entries_.emplace(list.name(), std::move(entry));
  bytes_ += size;
  return {};
}

Result<void> ModuleStore::begin(const ChunkList& list, std::string_view group, Keep keep) {
  if (group != kOwnGroup) TRY_VOID(check_owner_name(group));
  std::scoped_lock lock(mutex_);
  auto there = entries_.find(list.name());
  if (there == entries_.end()) return create(list, group, keep);
  touch(*there->second);
  return add_owner(*there->second, group, keep);
}

Result<void> ModuleStore::set_keep(const Hash& name, std::string_view group, Keep keep) {
  TRY(auto entry, find(name));
  std::scoped_lock lock(mutex_);
  auto owners = entry->owners;
  auto owner = std::ranges::find_if(owners, is_group(group));
  if (entry->gone || owner == owners.end()) {
    return failure(Errc::kNotFound, "the group has not stored this module: " + name.text());
  }
  owner->keep = keep;
  TRY_VOID(write_owners(name, owners));
  entry->owners = std::move(owners);
  return {};
}

Result<void> ModuleStore::remove(const Hash& name, std::string_view group) {
  TRY(auto entry, find(name));
  std::scoped_lock lock(mutex_);
  if (entry->gone || std::ranges::none_of(entry->owners, is_group(group))) {
    return failure(Errc::kNotFound, "the group has not stored this module: " + name.text());
  }
  drop_owner(entry, group);
  return {};
}

Result<void> ModuleStore::remove_for_all(const Hash& name) {
  TRY(auto entry, find(name));
  std::scoped_lock lock(mutex_);
  if (!entry->gone) drop(entry);
  return {};
}

}  // namespace weft::node::library
