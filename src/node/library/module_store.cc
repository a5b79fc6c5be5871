#include "node/library/module_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/log.h"
#include "base/read_file.h"
#include "base/whole_file.h"
#include "node/library/module_entry.h"
#include "node/library/names.h"

namespace weft::node::library {
namespace {

constexpr std::size_t kOwnersFileMax = 64 * 1024;
constexpr mode_t kFolderMode = 0700;

std::unexpected<Error> not_here(const Hash& name) {
  return failure(Errc::kNotFound, fmt::format("module {} is not here", name.text()));
}

// When a file was used last, for the order of what goes. 0 where there is none.
std::int64_t used_at(const std::filesystem::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return 0;
  return std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

// Whether a list that could not be read is none: what the system has too little of now is no reason
// to remove a module.
bool says_nothing(Errc code) {
  return code == Errc::kNotFound || code == Errc::kInvalid || code == Errc::kIo;
}

bool is_there(const std::filesystem::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

ModuleInUse::ModuleInUse(std::unique_ptr<Held> held, std::filesystem::path path)
    : held_(std::move(held)), path_(std::move(path)) {}
ModuleInUse::ModuleInUse(ModuleInUse&& other) noexcept = default;
ModuleInUse& ModuleInUse::operator=(ModuleInUse&& other) noexcept {
  std::swap(held_, other.held_);
  std::swap(path_, other.path_);
  return *this;
}
ModuleInUse::~ModuleInUse() {
  if (held_) held_->store.release(held_->entry);
}
const ChunkList& ModuleInUse::list() const {
  return held_->entry->list();
}

ModuleStore::ModuleStore(Options options, StorageMeter& meter)
    : options_(std::move(options)), meter_(meter) {}
ModuleStore::~ModuleStore() = default;

std::filesystem::path ModuleStore::place(const Hash& name, std::string_view ending) const {
  return ModuleFile::place(options_.folder, name, ending);
}

Result<std::unique_ptr<ModuleStore>> ModuleStore::open(Options options, StorageMeter& meter) {
  if (::mkdir(options.folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return disk_failure(fmt::format("{}: making the folder of modules", options.folder.string()),
                        errno);
  }
  std::unique_ptr<ModuleStore> store(new ModuleStore(std::move(options), meter));
  TRY_VOID(store->load());
  return store;
}

Result<void> ModuleStore::load() {
  std::set<Hash> names;
  std::error_code problem;
  for (std::filesystem::directory_iterator at(options_.folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    const std::filesystem::path& path = at->path();
    std::string ending = path.extension().string();
    if (ending == kAsideEnding) {
      // Its stem is a file of ours: a name and an ending.
      if (Hash::parse(path.stem().stem().string())) ::unlink(path.c_str());
      continue;
    }
    bool ours = ending == ".list" || ending == ".owners" || ending == ".part" || ending == ".wasm";
    auto name = Hash::parse(path.stem().string());
    if (ours && name) names.insert(*name);
  }
  if (problem) {
    return disk_failure(fmt::format("{}: listing it", options_.folder.string()), problem.value());
  }
  for (const Hash& name : names) TRY_VOID(load_one(name));
  std::scoped_lock lock(mutex_);
  std::vector<std::pair<std::int64_t, Entry*>> by_use;
  for (auto& [name, entry] : entries_) {
    by_use.emplace_back(used_at(place(name, ".owners")), entry.get());
  }
  std::ranges::sort(by_use);
  for (auto& [time, entry] : by_use) entry->used = ++uses_;
  // The bound may be another one than before; what is pinned stays all the same.
  (void)make_room(0);
  return {};
}

Result<void> ModuleStore::load_one(const Hash& name) {
  std::filesystem::path whole_path = place(name, ".wasm");
  bool whole = is_there(whole_path);
  bool part = is_there(place(name, ".part"));
  auto text = read_file(place(name, ".list").string(), kListBytesMax);
  if (!text && !says_nothing(text.error().code())) {
    return std::unexpected(std::move(text).error().within(place(name, ".list").string()));
  }
  Result<ChunkList> list =
      text ? ChunkList::decode(as_bytes(*text), name) : std::unexpected(std::move(text).error());
  if (!list && whole) {
    // The list can be made again of what it is a list of.
    list = ChunkList::of_file(whole_path.string());
    if (list && list->name() != name) list = not_here(name);
    if (list) TRY_VOID(write_whole(place(name, ".list"), list->encode(), Durable::kYes));
  }
  if (!list || (!whole && !part)) {
    log::warn("node", "a module that was half made or damaged is removed",
              {{"module", name.text()}});
    unlink_files(name);
    return {};
  }
  if (whole && part) ::unlink(place(name, ".part").c_str());
  auto owners_file = read_file(place(name, ".owners").string(), kOwnersFileMax);
  auto owners = read_owners(owners_file ? *owners_file : "");
  std::uint64_t size = stored_bytes(*list);
  for (const ModuleOwner& owner : owners) {
    if (owner.group != kOwnGroup) meter_.keep(owner.group, size);
  }
  auto state = whole ? ModuleFile::State::kWhole : ModuleFile::State::kPart;
  ModuleFile file(options_.folder, *std::move(list), state);
  entries_.emplace(name, std::make_shared<Entry>(std::move(file), std::move(owners)));
  bytes_ += size;
  return {};
}

Result<ModuleStore::EntryPtr> ModuleStore::find(const Hash& name) {
  std::scoped_lock lock(mutex_);
  auto found = entries_.find(name);
  if (found == entries_.end()) return not_here(name);
  touch(*found->second);
  return found->second;
}

Result<void> ModuleStore::settle(Entry& entry) {
  TRY(auto bits, entry.file.bits());
  if (!bits->all() || entry.file.whole()) return {};
  // All that belongs to it is on the disk before it is called whole.
  TRY_VOID(entry.file.sync());
  TRY_VOID(sync_path(place(entry.name(), ".list")));
  {
    std::scoped_lock lock(mutex_);
    if (entry.gone) return not_here(entry.name());
    TRY_VOID(entry.file.become_whole());
    entry.whole = true;
  }
  // Without the lock, which loops take. An owner that came meanwhile is on the disk with the rest.
  (void)sync_path(place(entry.name(), ".owners"));
  return sync_path(options_.folder);
}

void ModuleStore::mend(Entry& entry) {
  if (!entry.file.whole()) return;
  {
    std::scoped_lock lock(mutex_);
    if (entry.gone || !entry.file.become_part()) return;
    entry.whole = false;
  }
  log::warn("node", "the disk has changed a module", {{"module", entry.name().text()}});
  // Where there was only too much behind its end, it is whole again.
  (void)settle(entry);
}

Result<PutOutcome> ModuleStore::put(const Hash& name, std::size_t index, BytesView chunk) {
  TRY(auto entry, find(name));
  TRY_VOID(entry->list().verify(index, chunk));
  std::scoped_lock lock(entry->mutex);
  TRY(auto bits, entry->file.bits());
  if (!bits->has(index)) {
    // A damaged one that the disk did not let become a part again.
    if (entry->file.whole()) return failure(Errc::kIo, "a damaged module cannot be mended");
    TRY_VOID(entry->file.write(index, chunk));
  }
  TRY_VOID(settle(*entry));
  return entry->file.whole() ? PutOutcome::kWhole : PutOutcome::kMore;
}

Result<ChunkBits> ModuleStore::have(const Hash& name) {
  TRY(auto entry, find(name));
  std::scoped_lock lock(entry->mutex);
  TRY_VOID(settle(*entry));
  TRY(auto bits, entry->file.bits());
  return *bits;
}

Result<Bytes> ModuleStore::read(const Hash& name, std::size_t index) {
  TRY(auto entry, find(name));
  std::scoped_lock lock(entry->mutex);
  auto chunk = entry->file.read(index);
  if (!chunk && chunk.error().code() == Errc::kCorrupt) mend(*entry);
  return chunk;
}

Result<ChunkList> ModuleStore::list_of(const Hash& name) const {
  std::scoped_lock lock(mutex_);
  auto found = entries_.find(name);
  if (found == entries_.end()) return not_here(name);
  return found->second->list();
}

Result<ModuleInUse> ModuleStore::use(const Hash& name) {
  EntryPtr entry;
  {
    std::scoped_lock lock(mutex_);
    auto found = entries_.find(name);
    if (found == entries_.end()) return not_here(name);
    entry = found->second;
    touch(*entry);
    ++entry->holders;
  }
  ModuleInUse use(std::unique_ptr<ModuleInUse::Held>(new ModuleInUse::Held(*this, entry)),
                  place(name, ".wasm"));
  std::scoped_lock lock(entry->mutex);
  TRY_VOID(settle(*entry));
  if (!entry->file.whole()) {
    TRY(auto bits, entry->file.bits());
    return failure(Errc::kNotFound, fmt::format("of module {} only {} of {} chunks are here",
                                                name.text(), bits->there(), bits->count()));
  }
  auto good = entry->file.verify();
  if (!good) {
    if (good.error().code() == Errc::kCorrupt) mend(*entry);
    return std::unexpected(std::move(good).error());
  }
  return use;
}

Result<std::filesystem::path> ModuleStore::path(const Hash& name) {
  TRY(auto used, use(name));
  return used.path();
}

Result<Hash> ModuleStore::add_file(const std::filesystem::path& path, std::string_view group,
                                   Keep keep) {
  TRY(auto list, ChunkList::of_file(path.string()));
  auto before = info(list.name());
  auto is_owner = [&](const ModuleOwner& owner) { return owner.group == group; };
  bool was_owner = before && std::ranges::any_of(before->owners, is_owner);
  TRY_VOID(begin(list, group, keep));
  auto copy = [&] -> Result<void> {
    TRY(auto there, have(list.name()));
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file) return disk_failure(fmt::format("{}: opening", path.string()), errno);
    Bytes chunk(kChunkBytes);
    for (std::size_t index = 0; index < list.count(); ++index) {
      if (there.has(index)) continue;
      TRY(auto count, read_at(file.get(), chunk, std::uint64_t{index} * kChunkBytes));
      auto put_in = put(list.name(), index, BytesView(chunk).first(count));
      if (!put_in && put_in.error().code() == Errc::kCorrupt) {
        return failure(
            Errc::kConflict,
            fmt::format("{} was changed while it was read: add it again", path.string()));
      }
      TRY_VOID(std::move(put_in));
    }
    return {};
  };
  auto copied = copy();
  if (copied) return list.name();
  if (!was_owner) (void)remove(list.name(), group);
  return std::unexpected(std::move(copied).error());
}

namespace {

ModuleInfo info_of(const auto& entry) {
  return {.name = entry.name(),
          .size = entry.list().size(),
          .whole = entry.whole,
          .owners = entry.owners};
}

}  // namespace

Result<ModuleInfo> ModuleStore::info(const Hash& name) const {
  std::scoped_lock lock(mutex_);
  auto found = entries_.find(name);
  if (found == entries_.end()) return not_here(name);
  return info_of(*found->second);
}

std::vector<ModuleInfo> ModuleStore::list() const {
  std::vector<ModuleInfo> out;
  {
    std::scoped_lock lock(mutex_);
    for (const auto& [name, entry] : entries_) out.push_back(info_of(*entry));
  }
  std::ranges::sort(out, {}, &ModuleInfo::name);
  return out;
}

StoreUse ModuleStore::use_of_room() const {
  std::scoped_lock lock(mutex_);
  auto is_whole = [](const auto& each) { return each.second->whole.load(); };
  return {.modules = entries_.size(),
          .whole = static_cast<std::size_t>(std::ranges::count_if(entries_, is_whole)),
          .bytes = bytes_,
          .bytes_max = options_.bytes_max};
}

}  // namespace weft::node::library
