#include "capabilities/keyvalue/drivers/lmdb_environment.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.h"
#include "base/log.h"
#include "capabilities/state_folder.h"

namespace weft::keyvalue::lmdb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "data.mdb";
constexpr const char* kDraftName = "data.new";
constexpr const char* kLockSuffix = "-lock";

// Whether the address space has room for a map of that size, before the one we have is given up.
bool address_space_has(std::size_t bytes) {
  void* probe = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED) return false;
  munmap(probe, bytes);
  return true;
}

// LMDB met pages that contradict each other and ends the process after this: going on would spread
// the damage.
void report_damage(MDB_env* environment, const char* what) {
  const char* path = "the key-value file";
  mdb_env_get_path(environment, &path);
  log::error("keyvalue", "the file is damaged inside: restore it from a copy",
             {{"file", path}, {"found", what}});
}

}  // namespace

Error lmdb_error(std::string_view doing, int code) {
  Errc kind = Errc::kIo;
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL: kind = Errc::kFull; break;
    case EACCES:
    case EPERM:
    case EROFS: kind = Errc::kDenied; break;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH: kind = Errc::kCorrupt; break;
    case MDB_READERS_FULL:
    case MDB_TXN_FULL: kind = Errc::kLimit; break;
    default: break;
  }
  return Error(kind, fmt::format("{} the key-value file: {}", doing, mdb_strerror(code)));
}

Reader::Reader(Environment& environment) : environment_(environment) {
  std::lock_guard hold(environment_.readers_mutex_);
  environment_.readers_.push_back(this);
}

Reader::~Reader() {
  std::lock_guard hold(environment_.readers_mutex_);
  std::erase(environment_.readers_, this);
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);
}

int Reader::begin() {
  if (transaction_ != nullptr) return mdb_txn_renew(transaction_);
  return mdb_txn_begin(environment_.get(), nullptr, MDB_RDONLY, &transaction_);
}

const char* Reader::path() const {
  return environment_.path();
}

void Reader::note(const Error& error) {
  environment_.note(error);
}

void Environment::note(const Error& error) {
  if (error.code() != Errc::kCorrupt || damage_told_.exchange(true)) return;
  log::error("keyvalue", "the file is damaged inside: stop weft and restore it from a copy",
             {{"file", path_}, {"found", error.message()}});
}

Result<std::unique_ptr<Environment>> Environment::open(const fs::path& folder,
                                                       EnvironmentOptions options) {
  std::unique_ptr<Environment> environment(new Environment(options));
  auto file = folder / kFileName;
  struct stat info{};
  if (::stat(file.c_str(), &info) != 0) {
    if (errno != ENOENT) return system_failure(fmt::format("reading {}", file.string()), errno);
    TRY_VOID(environment->create(folder));
  } else if (info.st_size == 0) {
    return failure(
        Errc::kCorrupt,
        fmt::format("{} is empty, which weft never leaves behind. Restore it from a copy; "
                    "remove it to start with no keys.",
                    file.string()));
  }
  if (::stat(file.c_str(), &info) == 0) {
    environment->map_bytes_ = environment->map_bytes_for(static_cast<std::size_t>(info.st_size));
  }
  unsigned unflushed = options.flush == Flush::kNever ? MDB_NOSYNC : 0;
  TRY_VOID(environment->start(file, MDB_NOTLS | unflushed));
  TRY_VOID(environment->check_length(file));
  TRY_VOID(environment->extend(environment->map_bytes_));
  TRY_VOID(environment->open_tables(file, 0));
  return environment;
}

Environment::~Environment() {
  CHECK(readers_.empty());
  close();
}

std::size_t Environment::map_bytes_for(std::size_t file_bytes) const {
  std::size_t wanted = std::max(options_.map_bytes_at_first, std::bit_ceil(file_bytes));
  // A file that was made when it might be larger stays as it is.
  return std::max(file_bytes, std::min(wanted, options_.map_bytes_max));
}

void Environment::close() {
  if (environment_ != nullptr) mdb_env_close(environment_);
  environment_ = nullptr;
}

// Makes the file under another name, with its tables in it, and moves it to its place when it is
// whole and flushed: a power cut while it is made leaves no file that cannot be read.
Result<void> Environment::create(const fs::path& folder) {
  auto draft = folder / kDraftName;
  auto draft_lock = folder / (std::string(kDraftName) + kLockSuffix);
  ::unlink(draft.c_str());
  ::unlink(draft_lock.c_str());
  map_bytes_ = options_.map_bytes_at_first;
  TRY_VOID(start(draft, 0));
  TRY_VOID(extend(map_bytes_));
  TRY_VOID(open_tables(draft, MDB_CREATE));
  if (int code = mdb_env_sync(environment_, 1); code != 0) {
    return std::unexpected(lmdb_error("flushing", code));
  }
  close();
  ::unlink(draft_lock.c_str());
  if (::rename(draft.c_str(), (folder / kFileName).c_str()) != 0) {
    return system_failure(fmt::format("renaming {}", draft.string()), errno);
  }
  return sync_folder(folder);
}

Result<void> Environment::start(const fs::path& file, unsigned flags) {
  path_ = file.string();
  MappedRead in_use(path());
  int code = mdb_env_create(&environment_);
  if (code == 0) code = mdb_env_set_assert(environment_, report_damage);
  if (code == 0) code = mdb_env_set_maxdbs(environment_, 2);
  if (code == 0) code = mdb_env_set_maxreaders(environment_, kReadersMax);
  if (code == 0) code = mdb_env_set_mapsize(environment_, map_bytes_);
  if (code == 0) code = mdb_env_open(environment_, file.c_str(), MDB_NOSUBDIR | flags, 0600);
  if (code == 0) return {};
  close();
  if (code == MDB_INVALID || code == MDB_VERSION_MISMATCH || code == MDB_CORRUPTED) {
    return failure(Errc::kCorrupt,
                   fmt::format("{} is no key-value file of weft, or it is damaged ({}). Restore it "
                               "from a copy; remove it to start with no keys.",
                               file.string(), mdb_strerror(code)));
  }
  return std::unexpected(lmdb_error(fmt::format("opening {},", file.string()), code));
}

// A read beyond the file's end would end the process with SIGBUS. As the file is as long as the map
// from the start, only one that somebody cut is shorter than what it counts.
Result<void> Environment::check_length(const fs::path& file) {
  MDB_envinfo info{};
  MDB_stat statistics{};
  struct stat on_disk{};
  if (mdb_env_info(environment_, &info) != 0 || mdb_env_stat(environment_, &statistics) != 0 ||
      ::stat(file.c_str(), &on_disk) != 0) {
    return system_failure(fmt::format("reading {}", file.string()), errno);
  }
  auto counted = (info.me_last_pgno + 1) * statistics.ms_psize;
  if (static_cast<std::size_t>(on_disk.st_size) >= counted) return {};
  return failure(Errc::kCorrupt,
                 fmt::format("{} was cut short: it has {} bytes, and its contents need {}. Restore "
                             "it from a copy; remove it to start with no keys.",
                             file.string(), on_disk.st_size, counted));
}

// Makes the file so long, with a hole behind what is written. The next commit flushes the length.
Result<void> Environment::extend(std::size_t bytes) {
  mdb_filehandle_t fd = -1;
  struct stat on_disk{};
  if (mdb_env_get_fd(environment_, &fd) == 0 && ::fstat(fd, &on_disk) == 0 &&
      (static_cast<std::size_t>(on_disk.st_size) >= bytes ||
       ::ftruncate(fd, static_cast<off_t>(bytes)) == 0)) {
    return {};
  }
  int reason = errno;
  const char* path = "";
  mdb_env_get_path(environment_, &path);
  return std::unexpected(lmdb_error(fmt::format("extending {},", path), reason));
}

Result<void> Environment::open_tables(const fs::path& file, unsigned flags) {
  MappedRead in_use(path());
  MDB_txn* transaction = nullptr;
  unsigned kind = flags == MDB_CREATE ? 0 : MDB_RDONLY;
  int code = mdb_txn_begin(environment_, nullptr, kind, &transaction);
  if (code == 0) {
    code = mdb_dbi_open(transaction, "buckets", flags, &buckets_);
    if (code == 0) code = mdb_dbi_open(transaction, "entries", flags, &entries_);
    if (code == 0) {
      code = mdb_txn_commit(transaction);
    } else {
      mdb_txn_abort(transaction);
    }
  }
  if (code == 0) return {};
  if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE) {
    return failure(Errc::kCorrupt,
                   fmt::format("{} is an LMDB file, but none of weft's. Restore it from a copy; "
                               "remove it to start with no keys.",
                               file.string()));
  }
  return std::unexpected(lmdb_error(fmt::format("opening {},", file.string()), code));
}

Result<void> Environment::grow() {
  std::size_t bytes = std::min(map_bytes_ * 2, options_.map_bytes_max);
  if (bytes <= map_bytes_) {
    return failure(Errc::kFull, fmt::format("the key-value file has reached its bound of {} bytes",
                                            options_.map_bytes_max));
  }
  if (!address_space_has(bytes)) {
    return failure(Errc::kFull,
                   fmt::format("the key-value file needs {} bytes of address space, and the system "
                               "grants no more (ulimit -v)",
                               bytes));
  }
  TRY_VOID(extend(bytes));
  std::lock_guard hold(readers_mutex_);
  std::vector<std::unique_lock<std::mutex>> held;
  held.reserve(readers_.size());
  for (Reader* reader : readers_) held.emplace_back(reader->growing_);
  int code = mdb_env_set_mapsize(environment_, bytes);
  if (code != 0) {
    // LMDB has given up the old map by now; without one nothing can go on.
    CHECK(mdb_env_set_mapsize(environment_, map_bytes_) == 0);
    return std::unexpected(lmdb_error("growing", code));
  }
  map_bytes_ = bytes;
  return {};
}

}  // namespace weft::keyvalue::lmdb
