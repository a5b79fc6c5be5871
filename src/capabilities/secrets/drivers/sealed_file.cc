#include "capabilities/secrets/drivers/sealed_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/deadline.h"
#include "base/read_file.h"
#include "base/whole_file.h"
#include "capabilities/state_folder.h"

namespace weft::secrets {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyFileBytesMax = 1024;
constexpr std::chrono::milliseconds kLockLook{20};
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

// One writer at a time, of all processes.
Result<Fd> lock(const fs::path& folder) {
  fs::path path = folder / "lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_failure(fmt::format("opening {}", path.string()), errno);
  Deadline deadline = Deadline::after(SealedFile::kLockMax);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR && errno != EWOULDBLOCK) {
      return system_failure(fmt::format("locking {}", path.string()), errno);
    }
    if (deadline.passed()) {
      return failure(
          Errc::kTimeout,
          fmt::format("another process writes secrets and holds {}: try again", path.string()));
    }
    std::this_thread::sleep_for(kLockLook);
  }
  return fd;
}

Result<void> make_private_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return sync_folder(path.parent_path());
  if (errno == EEXIST) return {};
  return system_failure(fmt::format("making {}", path.string()), errno);
}

}  // namespace

bool SealedFile::Version::operator==(const Version& other) const {
  return device == other.device && file == other.file && size == other.size &&
         changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
}

// Reads the file where it is another one than at the last look.
Result<void> SealedFile::refresh() {
  struct stat info{};
  if (folder_.empty()) return {};
  if (::stat(file().c_str(), &info) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) {
      return system_failure(fmt::format("reading {}", file().string()), errno);
    }
    version_.reset();
    entries_.clear();
    return {};
  }
  Version version{info.st_dev, info.st_ino, info.st_size, info.st_mtim};
  if (version_ == version) return {};
  // A file that is replaced between the look and the read is read again at the next look.
  version_.reset();
  entries_.clear();
  TRY(entries_, read());
  version_ = version;
  return {};
}

Result<SealedEntries> SealedFile::read() {
  TRY(SealingKey key, read_key());
  auto text = read_file(file().string(), kSealedBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(file().string()));
  auto entries = unseal(as_bytes(*text), key);
  if (!entries) return std::unexpected(std::move(entries).error().within(file().string()));
  return entries;
}

Result<SealingKey> SealedFile::read_key() const {
  std::string path = key_file().string();
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return system_failure(fmt::format("reading {}", path), errno);
    return failure(Errc::kIo,
                   fmt::format("there is no key {}, without which {} cannot be read: bring it "
                               "back, or remove that file and set each secret anew",
                               path, file().string()));
  }
  if ((info.st_mode & kOthers) != 0) {
    return failure(
        Errc::kDenied,
        fmt::format("others than its owner may use the key {} (mode {:04o}): chmod 600 {}, and set "
                    "each secret anew where somebody may have read it",
                    path, info.st_mode & 07777, path));
  }
  auto text = read_file(path, kKeyFileBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(path));
  Secret hidden(*std::move(text));
  auto key = SealingKey::parse(hidden.reveal());
  if (!key) return std::unexpected(std::move(key).error().within(path));
  return key;
}

// Under the writers' lock. A file without its key is no place for a new one.
Result<SealingKey> SealedFile::make_key() const {
  struct stat info{};
  if (::stat(key_file().c_str(), &info) == 0 || ::stat(file().c_str(), &info) == 0) {
    return read_key();
  }
  SealingKey key = SealingKey::random();
  Secret text = key.text();
  TRY_VOID(write_whole(key_file(), as_bytes(text.reveal()), Durable::kYes));
  return key;
}

Result<Secret> SealedFile::get(std::string_view name) {
  TRY_VOID(check_name(name));
  std::lock_guard hold(mutex_);
  TRY_VOID(refresh());
  auto found = entries_.find(name);
  if (found != entries_.end()) return found->second.value;
  if (folder_.empty()) {
    return failure(Errc::kNotFound, fmt::format("there is no secret {}, nor a state folder", name));
  }
  return failure(Errc::kNotFound,
                 fmt::format("there is no secret {} in {}: weft secret set {} --state {}", name,
                             folder_.string(), name, folder_.parent_path().string()));
}

Result<std::vector<SealedFile::Listed>> SealedFile::list() {
  std::lock_guard hold(mutex_);
  TRY_VOID(refresh());
  std::vector<Listed> listed;
  for (const auto& [name, entry] : entries_) {
    listed.push_back({name, entry.created, entry.changed});
  }
  return listed;
}

// `work` says whether there is something to write.
Result<bool> SealedFile::change(const std::function<Result<bool>(SealedEntries&)>& work) {
  std::lock_guard hold(mutex_);
  TRY_VOID(make_private_folder(folder_));
  TRY(Fd locked, lock(folder_));
  TRY(SealingKey key, make_key());
  version_.reset();  // The clock of a file may be too coarse for two writes in a row.
  TRY_VOID(refresh());
  SealedEntries entries = entries_;
  TRY(bool write, work(entries));
  if (!write) return false;
  TRY(Bytes sealed, seal(entries, key));
  TRY_VOID(write_whole(file(), sealed, Durable::kYes));
  version_.reset();
  return true;
}

Result<bool> SealedFile::set(std::string_view name, Secret value, std::int64_t now) {
  TRY_VOID(check_name(name));
  TRY_VOID(check_value(name, value.reveal()));
  bool is_new = false;
  TRY(bool written, change([&](SealedEntries& entries) -> Result<bool> {
        auto [entry, inserted] = entries.try_emplace(std::string(name));
        if (inserted) entry->second.created = now;
        is_new = inserted;
        entry->second.value = value;
        entry->second.changed = now;
        return true;
      }));
  static_cast<void>(written);
  return is_new;
}

Result<bool> SealedFile::remove(std::string_view name) {
  struct stat info{};
  // There is nothing to remove, and nothing is made for that.
  if (::stat(file().c_str(), &info) != 0 && errno == ENOENT) return false;
  return change([&](SealedEntries& entries) -> Result<bool> {
    auto found = entries.find(name);
    if (found == entries.end()) return false;
    entries.erase(found);
    return true;
  });
}

namespace {

class SealedReader final : public Reader {
 public:
  SealedReader(SealedFile& file, const std::string& name) : file_(file), name_(name) {}

  // Inline: a look at the file, and a read of it after it was replaced. It is on a local disk, as
  // the state folder is.
  Answer<Secret> get(Request, std::string_view name) override {
    return file_.get(name_.empty() ? name : name_);
  }

 private:
  SealedFile& file_;
  const std::string& name_;
};

class SealedSource final : public Source {
 public:
  SealedSource(std::shared_ptr<SealedFile> file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {}

  Result<void> open() override {
    TRY_VOID(file_->list());
    return {};
  }
  std::unique_ptr<Reader> reader(Loop&) override {
    return std::make_unique<SealedReader>(*file_, name_);
  }

 private:
  std::shared_ptr<SealedFile> file_;  // Shared by all sources that are in it.
  const std::string name_;
};

}  // namespace

std::unique_ptr<Source> sealed_source(std::shared_ptr<SealedFile> file, std::string name) {
  return std::make_unique<SealedSource>(std::move(file), std::move(name));
}

}  // namespace weft::secrets
