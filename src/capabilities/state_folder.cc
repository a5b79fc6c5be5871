#include "capabilities/state_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "base/check.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = "owner.lock";
constexpr const char* kFormatName = "format";
constexpr const char* kFormatDraftName = "format.new";
constexpr std::string_view kFormatWord = "weft-state ";

std::string read_start(int fd) {
  char buffer[64];
  ssize_t count = ::pread(fd, buffer, sizeof buffer, 0);
  return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
}

Result<void> write_all(int fd, std::string_view text, const fs::path& path) {
  ssize_t count = ::pwrite(fd, text.data(), text.size(), 0);
  if (count < 0) return system_failure(fmt::format("writing {}", path.string()), errno);
  if (static_cast<std::size_t>(count) != text.size()) {
    return failure(Errc::kFull, fmt::format("writing {}: no room on the device", path.string()));
  }
  return {};
}

// Makes one folder, and flushes its parent so that a power cut does not take it away again.
Result<void> make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    return sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
  }
  int reason = errno;
  struct stat info{};
  // A parent that is there tells nothing new: /proc has one, and takes no folders.
  fs::path parent = path.parent_path();
  if (reason == ENOENT && !parent.empty() && ::stat(parent.c_str(), &info) != 0) {
    TRY_VOID(make_folder(parent));
    return make_folder(path);
  }
  if (reason == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  if (reason == EEXIST) reason = ENOTDIR;
  return system_failure(fmt::format("making the state folder {}", path.string()), reason);
}

// Fails when the folder, which has no format file, holds anything but what an interrupted first
// start leaves behind.
Result<void> check_fresh(const fs::path& path) {
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    auto name = entry->path().filename();
    if (name == kLockName || name == kFormatDraftName) continue;
    return failure(Errc::kInvalid,
                   fmt::format("{} is no state folder of weft: it holds {}, and no file named {}. "
                               "Choose an empty folder or one that is not there yet.",
                               path.string(), name.string(), kFormatName));
  }
  if (error) return system_failure(fmt::format("reading {}", path.string()), error.value());
  return {};
}

// Writes the format file beside its place and moves it there, so that it is never half-written.
Result<void> write_format(const fs::path& path) {
  auto draft = path / kFormatDraftName;
  int fd = ::open(draft.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return system_failure(fmt::format("making {}", draft.string()), errno);
  auto written = write_all(fd, fmt::format("{}{}\n", kFormatWord, StateFolder::kFormat), draft);
  if (written && ::fsync(fd) != 0) {
    written = system_failure(fmt::format("flushing {}", draft.string()), errno);
  }
  ::close(fd);
  TRY_VOID(std::move(written));
  if (::rename(draft.c_str(), (path / kFormatName).c_str()) != 0) {
    return system_failure(fmt::format("renaming {}", draft.string()), errno);
  }
  return sync_folder(path);
}

Result<void> check_format(const fs::path& path) {
  auto file = path / kFormatName;
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    TRY_VOID(check_fresh(path));
    return write_format(path);
  }
  if (fd < 0) return system_failure(fmt::format("reading {}", file.string()), errno);
  std::string text = read_start(fd);
  ::close(fd);
  int format = 0;
  bool ours = text.starts_with(kFormatWord);
  if (ours) {
    const char* end = text.data() + text.size();
    auto parsed = std::from_chars(text.data() + kFormatWord.size(), end, format);
    ours = parsed.ec == std::errc() && std::string_view(parsed.ptr, end) == "\n";
  }
  if (!ours) {
    return failure(Errc::kCorrupt,
                   fmt::format("{} does not say `{}N`: this is no state folder of weft, or its "
                               "format file is damaged. Choose another folder.",
                               file.string(), kFormatWord));
  }
  if (format != StateFolder::kFormat) {
    return failure(Errc::kUnsupported,
                   fmt::format("{} says format {}, and this weft reads format {}. Use the weft "
                               "that wrote it, or another folder.",
                               file.string(), format, StateFolder::kFormat));
  }
  return {};
}

std::unexpected<Error> in_use(const fs::path& path) {
  Fd file(::open((path / kLockName).c_str(), O_RDONLY | O_CLOEXEC));
  std::string holder = file ? read_start(file.get()) : std::string();
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return failure(Errc::kConflict,
                 fmt::format("the state folder {} is in use by process {}. Stop that process, or "
                             "choose another folder (--state DIR).",
                             path.string(), holder.empty() ? "(unknown)" : holder));
}

// Locks the folder itself, which nobody can take away from under the lock.
Result<Fd> lock_folder(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_failure(fmt::format("opening {}", path.string()), errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return in_use(path);
  // Some file systems lock only what is open for writing. There the file's lock has to do.
  return Fd();
}

// Takes the file's lock, or says who has it. Both locks go away with the process that holds them.
Result<Fd> lock_owner(const fs::path& path) {
  auto file = path / kLockName;
  Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return system_failure(fmt::format("opening {}", file.string()), errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return in_use(path);
    return system_failure(fmt::format("locking {}", file.string()), errno);
  }
  // The pid only serves the message above: on a full disk the lock holds without it.
  bool named =
      ::ftruncate(fd.get(), 0) == 0 && write_all(fd.get(), fmt::format("{}\n", ::getpid()), file);
  static_cast<void>(named);
  return fd;
}

}  // namespace

Result<StateFolder> StateFolder::open(fs::path path) {
  if (path.empty()) {
    return failure(Errc::kInvalid,
                   "there is no place for the state folder: neither XDG_STATE_HOME nor HOME is set "
                   "to an absolute path. Say where it is to be with --state DIR.");
  }
  TRY_VOID(make_folder(path));
  // A folder that is not ours gets no lock file either.
  struct stat info{};
  if (::stat((path / kFormatName).c_str(), &info) != 0) TRY_VOID(check_fresh(path));
  TRY(Fd folder_lock, lock_folder(path));
  TRY(Fd owner_lock, lock_owner(path));
  StateFolder folder(std::move(path), std::move(folder_lock), std::move(owner_lock));
  TRY_VOID(check_format(folder.path_));
  return folder;
}

Result<void> StateFolder::prepare(const fs::path& path) {
  struct stat info{};
  if (!path.empty() && ::stat((path / kFormatName).c_str(), &info) == 0) return check_format(path);
  TRY(StateFolder folder, open(path));
  return {};
}

Result<fs::path> StateFolder::subfolder(std::string_view name) const {
  auto path = path_ / name;
  TRY_VOID(make_folder(path));
  return path;
}

void StateFolderOnDemand::move_to(fs::path path, Place place) {
  CHECK(!folder_);
  path_ = std::move(path);
  place_ = place;
}

Result<fs::path> StateFolderOnDemand::subfolder(std::string_view name) {
  if (!folder_) {
    TRY(folder_, StateFolder::open(path_));
  }
  return folder_->subfolder(name);
}

Result<void> sync_folder(const fs::path& folder) {
  const char* name = folder.empty() ? "." : folder.c_str();
  int fd = ::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_failure(fmt::format("opening {}", name), errno);
  int outcome = ::fsync(fd);
  int reason = errno;
  ::close(fd);
  if (outcome != 0) return system_failure(fmt::format("flushing {}", name), reason);
  return {};
}

}  // namespace weft
