#include "capabilities/blobstore/drivers/file_disk.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>

#include "base/read_file.h"
#include "capabilities/blobstore/file_names.h"
#include "capabilities/state_folder.h"

namespace weft::blobstore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContainerFile = ".container";
constexpr const char* kTrash = ".trash";

std::uint64_t seconds(const struct stat& info) {
  return info.st_mtim.tv_sec < 0 ? 0 : static_cast<std::uint64_t>(info.st_mtim.tv_sec);
}

Result<void> write_all(int fd, BytesView bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EFBIG) {
      return failure(Errc::kFull, fmt::format("writing {}: it is as long as files may be", path));
    }
    if (count < 0) return system_failure(fmt::format("writing {}", path), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> flush(const Draft& draft) {
  if (::fsync(draft.file.get()) == 0) return {};
  return system_failure(fmt::format("flushing {}", draft.path), errno);
}

// The object that a file of the folder stands for; nothing where it is none.
std::optional<std::string> object_in(const std::string& folder, const std::string& file) {
  if (!is_hashed(file)) return object_name_of(file);
  auto name = read_file(fmt::format("{}/{}{}", folder, file, kNameSuffix), kObjectNameBytesMax);
  if (!name || file_name_of(*name) != file) return std::nullopt;
  return *std::move(name);
}

// Calls `take` with the name of each file that a folder holds, as long as it returns a success.
template <class Take>
Result<void> each_file(const std::string& folder, Take take) {
  std::error_code problem;
  fs::directory_iterator each(folder, problem);
  for (fs::directory_iterator end; !problem && each != end; each.increment(problem)) {
    TRY_VOID(take(each->path().filename().string()));
  }
  if (problem) return system_failure(fmt::format("reading {}", folder), problem.value());
  return {};
}

// The first names of a list in their order, as many as go into a page.
class PageNames {
 public:
  void add(std::string name) {
    bytes_ += name.size();
    names_.insert(std::move(name));
    while (bytes_ > kPageBytesMax && names_.size() > 1) {
      bytes_ -= names_.rbegin()->size();
      names_.erase(std::prev(names_.end()));
      more_ = true;
    }
  }
  Page page() {
    Page page{.names = {}, .more = more_};
    while (!names_.empty()) page.names.push_back(std::move(names_.extract(names_.begin()).value()));
    return page;
  }

 private:
  std::set<std::string> names_;
  std::size_t bytes_ = 0;
  bool more_ = false;
};

}  // namespace

std::string FileDisk::folder_of(const ContainerName& name) const {
  return (root_ / file_name_of_container(name.owner, name.name)).string();
}

std::string FileDisk::trash() const {
  return (root_ / kTrash).string();
}

Result<void> FileDisk::check_there(const ContainerName& name) const {
  TRY_VOID(check_container(name));
  struct stat info{};
  std::string file = fmt::format("{}/{}", folder_of(name), kContainerFile);
  if (::stat(file.c_str(), &info) == 0) return {};
  if (errno == ENOENT || errno == ENOTDIR) return no_container(name.name);
  return system_failure(fmt::format("reading {}", file), errno);
}

Result<void> FileDisk::sweep() {
  std::error_code problem;
  fs::remove_all(trash(), problem);
  if (::mkdir(trash().c_str(), 0700) != 0 && errno != EEXIST) {
    return system_failure(fmt::format("making {}", trash()), errno);
  }
  return each_file(root_.string(), [&](const std::string& name) -> Result<void> {
    std::string folder = (root_ / name).string();
    if (name == kTrash || !fs::is_directory(folder, problem)) return {};
    // Its making was cut short: it never was a container.
    if (!fs::exists(fmt::format("{}/{}", folder, kContainerFile), problem) && !problem) {
      fs::remove_all(folder, problem);
      return {};
    }
    return each_file(folder, [&](const std::string& file) -> Result<void> {
      if (file.starts_with(kDraftPrefix)) discard(fmt::format("{}/{}", folder, file));
      return {};
    });
  });
}

Result<void> FileDisk::create(const ContainerName& name) {
  TRY_VOID(check_container(name));
  if (auto there = check_there(name); there) {
    return container_there(name.name);
  } else if (there.error().code() != Errc::kNotFound) {
    return there;
  }
  std::string folder = folder_of(name);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_failure(fmt::format("making {}", folder), errno);
  }
  TRY_VOID(sync_folder(root_));
  TRY(Draft draft, draft_in(folder));
  Result<void> made = flush(draft);
  if (made) {
    std::lock_guard hold(names_);
    std::string file = fmt::format("{}/{}", folder, kContainerFile);
    struct stat info{};
    if (::stat(file.c_str(), &info) == 0) {
      made = container_there(name.name);
    } else if (std::rename(draft.path.c_str(), file.c_str()) != 0) {
      made = system_failure(fmt::format("making {}", file), errno);
    }
  }
  if (made) return sync_folder(folder);
  discard(draft.path);
  return made;
}

Result<ContainerInfo> FileDisk::info(const ContainerName& name) {
  struct stat info{};
  std::string file = fmt::format("{}/{}", folder_of(name), kContainerFile);
  if (::stat(file.c_str(), &info) == 0) return ContainerInfo{seconds(info)};
  return no_container(name.name);
}

Result<bool> FileDisk::exists(const ContainerName& name) {
  auto there = check_there(name);
  if (there) return true;
  if (there.error().code() == Errc::kNotFound) return false;
  return std::unexpected(std::move(there).error());
}

Result<void> FileDisk::remove(const ContainerName& name, Deadline deadline) {
  TRY_VOID(check_there(name));
  TRY_VOID(check_begin(deadline));
  std::string away = fmt::format("{}/{}", trash(), next_draft_++);
  {
    std::lock_guard hold(names_);
    if (std::rename(folder_of(name).c_str(), away.c_str()) != 0) {
      if (errno == ENOENT) return no_container(name.name);
      return system_failure(fmt::format("deleting {}", folder_of(name)), errno);
    }
  }
  TRY_VOID(sync_folder(root_));
  TRY_VOID(sync_folder(trash()));
  // It is deleted. What cannot be removed now goes at the next start.
  std::error_code problem;
  fs::remove_all(away, problem);
  return {};
}

Result<OpenFile> FileDisk::open(const ContainerName& container, const std::string& name,
                                Range range) {
  TRY_VOID(check_object(name));
  std::string path = fmt::format("{}/{}", folder_of(container), file_name_of(name));
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!file && errno == ENOENT) {
    TRY_VOID(check_there(container));
    return no_object(container.name, name);
  }
  if (!file || ::fstat(file.get(), &info) != 0) {
    return system_failure(fmt::format("opening {}", path), errno);
  }
  return OpenFile{std::move(file), clamp(range, static_cast<std::uint64_t>(info.st_size))};
}

Result<Bytes> FileDisk::read(const OpenFile& file, std::uint64_t done) const {
  Bytes part(std::min<std::uint64_t>(file.extent.size - done, kPartBytesMax));
  std::size_t got = 0;
  while (got < part.size()) {
    auto at = static_cast<off_t>(file.extent.offset + done + got);
    ssize_t count = ::pread(file.file.get(), part.data() + got, part.size() - got, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("reading an object", errno);
    if (count == 0) {
      return failure(Errc::kCorrupt, fmt::format("an object ends after {} bytes: something else "
                                                 "has changed its file",
                                                 file.extent.offset + done + got));
    }
    got += static_cast<std::size_t>(count);
  }
  return part;
}

Result<Draft> FileDisk::draft_in(const std::string& folder) {
  std::string path = fmt::format("{}/{}{}", folder, kDraftPrefix, next_draft_++);
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return system_failure(fmt::format("making {}", path), errno);
  return Draft{std::move(file), std::move(path)};
}

Result<Draft> FileDisk::begin(const ContainerName& container) {
  TRY_VOID(check_there(container));
  return draft_in(folder_of(container));
}

Result<void> FileDisk::write(const Draft& draft, BytesView part) const {
  return write_all(draft.file.get(), part, draft.path);
}

void FileDisk::discard(const std::string& draft) const {
  static_cast<void>(::unlink(draft.c_str()));
}

// Writes the name of an object that its file's name does not tell, and returns the draft's path;
// nothing where there is nothing to write.
Result<std::string> FileDisk::write_name(const std::string& folder, const std::string& name) {
  if (!is_hashed(file_name_of(name))) return std::string();
  TRY(Draft draft, draft_in(folder));
  Result<void> written = write_all(draft.file.get(), as_bytes(name), draft.path);
  if (written) written = flush(draft);
  if (written) return draft.path;
  discard(draft.path);
  return std::unexpected(std::move(written).error());
}

// Renames a file that is on the disk already: in one step the object is there.
Result<void> FileDisk::put_in_place(const std::string& path, const ContainerName& container,
                                    const std::string& name) {
  std::string folder = folder_of(container);
  std::string place = fmt::format("{}/{}", folder, file_name_of(name));
  // The folder of a container that was deleted is another one now, or none.
  TRY_VOID(check_there(container));
  TRY(std::string name_draft, write_name(folder, name));
  std::unique_lock hold(names_, std::defer_lock);
  bool renamed = true;
  if (!name_draft.empty()) {
    hold.lock();
    renamed = std::rename(name_draft.c_str(), (place + std::string(kNameSuffix)).c_str()) == 0;
  }
  renamed = renamed && std::rename(path.c_str(), place.c_str()) == 0;
  if (renamed) return {};
  int reason = errno;
  if (hold.owns_lock()) hold.unlock();
  if (!name_draft.empty()) discard(name_draft);
  if (reason == ENOENT) return no_container(container.name);
  return system_failure(fmt::format("renaming {}", path), reason);
}

Result<void> FileDisk::commit(const Draft& draft, const ContainerName& container,
                              const std::string& name) {
  TRY_VOID(flush(draft));
  TRY_VOID(put_in_place(draft.path, container, name));
  return sync_folder(folder_of(container));
}

Result<Page> FileDisk::list(const ContainerName& container, const std::string& after) {
  TRY_VOID(check_there(container));
  std::string folder = folder_of(container);
  PageNames names;
  TRY_VOID(each_file(folder, [&](const std::string& file) -> Result<void> {
    auto name = object_in(folder, file);
    if (name && *name > after) names.add(*std::move(name));
    return {};
  }));
  return names.page();
}

Result<std::optional<ObjectInfo>> FileDisk::find(const ContainerName& container,
                                                 const std::string& name) {
  TRY_VOID(check_object(name));
  struct stat info{};
  std::string path = fmt::format("{}/{}", folder_of(container), file_name_of(name));
  if (::stat(path.c_str(), &info) == 0) {
    return ObjectInfo{static_cast<std::uint64_t>(info.st_size), seconds(info)};
  }
  if (errno != ENOENT) return system_failure(fmt::format("reading {}", path), errno);
  TRY_VOID(check_there(container));
  return std::nullopt;
}

// The name's file goes with the object, unless the object is there again by now.
void FileDisk::drop_name(const std::string& folder, const std::string& file) {
  std::string path = fmt::format("{}/{}", folder, file);
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) discard(path + std::string(kNameSuffix));
}

// Whether it was there.
Result<bool> FileDisk::unlink_object(const std::string& folder, const std::string& file) {
  std::string path = fmt::format("{}/{}", folder, file);
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return false;
    return system_failure(fmt::format("deleting {}", path), errno);
  }
  if (is_hashed(file)) {
    std::lock_guard hold(names_);
    drop_name(folder, file);
  }
  return true;
}

Result<void> FileDisk::erase(const ContainerName& container, const std::vector<std::string>& names,
                             Deadline deadline) {
  TRY_VOID(check_names(names));
  TRY_VOID(check_there(container));
  std::string folder = folder_of(container);
  Result<void> outcome;
  bool changed = false;
  for (const std::string& name : names) {
    outcome = check_begin(deadline);
    if (!outcome) break;
    Result<bool> gone = unlink_object(folder, file_name_of(name));
    if (!gone) {
      outcome = std::unexpected(std::move(gone).error());
      break;
    }
    changed |= *gone;
  }
  if (changed) TRY_VOID(sync_folder(folder));
  return outcome;
}

Result<void> FileDisk::clear(const ContainerName& container, Deadline deadline) {
  TRY_VOID(check_there(container));
  std::string folder = folder_of(container);
  TRY_VOID(each_file(folder, [&](const std::string& file) -> Result<void> {
    if (!is_hashed(file) && !object_name_of(file)) return {};
    TRY_VOID(check_begin(deadline));
    TRY(bool gone, unlink_object(folder, file));
    static_cast<void>(gone);
    return {};
  }));
  return sync_folder(folder);
}

Result<void> FileDisk::move(const ObjectId& from, const ObjectId& to) {
  TRY_VOID(check_object(to));
  TRY(OpenFile file, open(from.container, from.object, {}));
  TRY_VOID(check_there(to.container));
  if (from == to) return {};
  // The object is new at its place.
  if (::futimens(file.file.get(), nullptr) != 0 || ::fsync(file.file.get()) != 0) {
    return system_failure(fmt::format("flushing {}", shown(from.object)), errno);
  }
  std::string source = folder_of(from.container);
  std::string source_file = file_name_of(from.object);
  TRY_VOID(put_in_place(fmt::format("{}/{}", source, source_file), to.container, to.object));
  if (is_hashed(source_file)) {
    std::lock_guard hold(names_);
    drop_name(source, source_file);
  }
  TRY_VOID(sync_folder(folder_of(to.container)));
  return sync_folder(source);
}

}  // namespace weft::blobstore
