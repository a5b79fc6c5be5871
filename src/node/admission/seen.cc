#include "node/admission/seen.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/read_file.h"
#include "capabilities/state_folder.h"
#include "node/admission/seen_file.h"
#include "node/admission/seen_table.h"

namespace weft::node {
namespace {

namespace fs = std::filesystem;
using Kind = SeenRecord::Kind;

constexpr std::string_view kPrefix = "seen-";
constexpr UnixMs kSkewMs = std::chrono::milliseconds(kClockSkewMax).count();
constexpr UnixMs kLeaseMs = std::chrono::milliseconds(kSeenLease).count();
constexpr UnixMs kFileForMs = std::chrono::milliseconds(kSeenFileFor).count();
// Of what has expired, so much goes with each new one: no request waits for all of it.
constexpr std::size_t kDropWithOne = 64;
constexpr std::size_t kDropInTidy = 4'096;
// So long after a request the lease is renewed ahead of the next.
constexpr UnixMs kBusyForMs = 60'000;

SeenId id_of(const PublicKey& signer, const Nonce& nonce) {
  std::array<std::uint8_t, PublicKey::kBytes + sizeof(Nonce)> both;
  std::ranges::copy(nonce, std::ranges::copy(signer.bytes, both.begin()).out);
  Hash hash = Hash::of(both);
  SeenId id;
  std::copy_n(hash.bytes.begin(), id.size(), id.begin());
  return id;
}

SeenId id_of_boot(std::string_view boot) {
  Hash hash = Hash::of(as_bytes(boot));
  SeenId id;
  std::copy_n(hash.bytes.begin(), id.size(), id.begin());
  return id;
}

Result<std::string> boot_of_kernel() {
  return read_file("/proc/sys/kernel/random/boot_id", 64);
}

// What the files of earlier processes say.
struct Past {
  std::optional<SeenId> boot;
  UnixMs floor = 0;
  UnixMs lease = 0;
  UnixMs forgotten = 0;
  bool closed = false;
  bool damaged = false;
};

struct OldFile {
  fs::path path;
  UnixMs expires = 0;  // The last nonce in it.
};

}  // namespace

class SeenRequests::Impl {
 public:
  Impl(SeenOptions options, SeenId boot)
      : options_(std::move(options)), boot_(boot), table_(options_.most) {}

  Result<void> open(UnixMs now);
  Seen look(const SeenId& id, const Request& request) const;
  Result<Seen> record(const SeenId& id, const Request& request, std::uint32_t tag, UnixMs now);
  // Not under the lock, which it takes.
  Result<void> tidy(UnixMs now);
  Result<void> close();

  mutable std::mutex mutex_;

  std::size_t size() const { return table_.size(); }

 private:
  Result<std::vector<std::pair<std::uint64_t, fs::path>>> numbered() const;
  Result<void> read(const fs::path& path, bool last, UnixMs now, Past& past);
  Result<void> next_file(UnixMs now);
  Result<void> write_lease(UnixMs until);
  Result<void> flushed(Result<void> done);
  Result<void> ready(UnixMs now);
  Result<void> delete_expired();

  const SeenOptions options_;
  const SeenId boot_;
  SeenTable table_;
  UnixMs floor_ = 0;
  UnixMs lease_ = 0;
  std::uint64_t leases_ = 0;  // So many were written.
  // None after a failure, and after the end.
  std::optional<SeenFile> file_;
  OldFile current_;
  UnixMs file_began_ = 0;
  std::uint64_t next_number_ = 1;
  std::deque<OldFile> old_;
  UnixMs recorded_ = 0;  // The last one.
  bool lossy_ = false;   // A flush failed: what was written before it may not be there.
  bool closed_ = false;
};

Result<std::vector<std::pair<std::uint64_t, fs::path>>> SeenRequests::Impl::numbered() const {
  std::vector<std::pair<std::uint64_t, fs::path>> files;
  std::error_code failed;
  fs::directory_iterator at(options_.folder, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    std::string name = at->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    std::uint64_t number = 0;
    std::string_view digits = std::string_view(name).substr(kPrefix.size());
    auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (problem != std::errc() || end != digits.data() + digits.size()) continue;
    files.emplace_back(number, at->path());
  }
  if (failed) {
    return system_failure(fmt::format("reading {}", options_.folder.string()), failed.value());
  }
  std::ranges::sort(files);
  return files;
}

Result<void> SeenRequests::Impl::read(const fs::path& path, bool last, UnixMs now, Past& past) {
  OldFile file{path, 0};
  auto each = [&](const SeenRecord& record) {
    past.closed = record.kind == Kind::kClosed;
    switch (record.kind) {
      case Kind::kOpened:
        past.boot = record.id;
        past.floor = std::max(past.floor, record.value);
        break;
      case Kind::kNonce:
        file.expires = std::max(file.expires, record.value);
        if (record.value <= now) {
          table_.forget_until(record.value);
        } else {
          table_.add(record.id, record.value, record.tag);
        }
        break;
      case Kind::kLease: past.lease = record.value; break;
      case Kind::kForgotten: table_.forget_until(record.value); break;
      case Kind::kClosed: break;
    }
  };
  TRY(SeenTail tail, read_seen_file(path, each));
  // The leases to come are in another file: what they are for is on the disk by then.
  TRY_VOID(flush_seen_file(path));
  // Half a record at the very end is of a request that was not taken.
  if (tail == SeenTail::kDamaged || (tail == SeenTail::kCut && !last)) past.damaged = true;
  old_.push_back(std::move(file));
  return {};
}

Result<void> SeenRequests::Impl::open(UnixMs now) {
  std::error_code failed;
  fs::create_directories(options_.folder, failed);
  if (failed) {
    return system_failure(fmt::format("making {}", options_.folder.string()), failed.value());
  }
  TRY(auto files, numbered());
  Past past;
  for (const auto& [number, path] : files) {
    TRY_VOID(read(path, number == files.back().first, now, past));
    next_number_ = number + 1;
  }
  floor_ = past.floor;
  lease_ = past.lease;
  bool same_boot = past.boot == boot_;
  if (past.damaged) {
    // The lease may be among what is lost.
    floor_ = std::max({floor_, past.lease + kSkewMs, now + kSkewMs});
  } else if (!files.empty() && !same_boot && !past.closed) {
    floor_ = std::max(floor_, past.lease + kSkewMs);
  }
  TRY_VOID(next_file(now));
  return delete_expired();
}

// A file begins with all that is not a nonce: those before it may go when their nonces have
// expired.
Result<void> SeenRequests::Impl::next_file(UnixMs now) {
  if (file_) {
    TRY_VOID(flushed(file_->flush()));
  }
  if (!current_.path.empty()) old_.push_back(std::move(current_));
  file_.reset();
  fs::path path = options_.folder / fmt::format("{}{:010}", kPrefix, next_number_++);
  current_ = {path, 0};
  TRY(SeenFile file, SeenFile::create(path));
  TRY_VOID(file.append({.kind = Kind::kOpened, .value = floor_, .id = boot_}));
  TRY_VOID(file.append({.kind = Kind::kForgotten, .value = table_.forgotten()}));
  TRY_VOID(file.append({.kind = Kind::kLease, .value = lease_}));
  TRY_VOID(file.flush());
  TRY_VOID(sync_folder(options_.folder));
  file_ = std::move(file);
  file_began_ = now;
  return {};
}

// What a failed flush leaves behind nobody knows: it goes on in another file.
Result<void> SeenRequests::Impl::flushed(Result<void> done) {
  if (done) return done;
  file_.reset();
  lossy_ = true;
  return done;
}

// A lease is for what comes after it, since what came before it goes to the disk with it. Until it
// has, none holds that is longer than it or than the one before.
Result<void> SeenRequests::Impl::write_lease(UnixMs until) {
  TRY_VOID(file_->append({.kind = Kind::kLease, .value = until}));
  lease_ = std::min(lease_, until);
  ++leases_;
  return {};
}

// A file that takes one more, and a lease that covers now.
Result<void> SeenRequests::Impl::ready(UnixMs now) {
  if (closed_) return failure(Errc::kUnavailable, "the node stops");
  bool old = now < file_began_ || now - file_began_ > kFileForMs;
  if (!file_ || old || file_->records() >= kSeenFileRecordsMax) {
    TRY_VOID(next_file(now));
  }
  if (now <= lease_) return {};
  TRY_VOID(write_lease(now + kLeaseMs));
  TRY_VOID(flushed(file_->flush()));
  lease_ = now + kLeaseMs;
  return {};
}

Seen SeenRequests::Impl::look(const SeenId& id, const Request& request) const {
  if (table_.contains(id)) return Seen::kSeen;
  if (request.expires <= table_.forgotten() || request.made <= floor_) return Seen::kTooOld;
  return Seen::kNew;
}

Result<Seen> SeenRequests::Impl::record(const SeenId& id, const Request& request, std::uint32_t tag,
                                        UnixMs now) {
  table_.drop(now, kDropWithOne);
  if (Seen seen = look(id, request); seen != Seen::kNew) return seen;
  if (!table_.has_room(tag)) return Seen::kNoPlace;
  TRY_VOID(ready(now));
  TRY_VOID(file_->append({.kind = Kind::kNonce, .tag = tag, .value = request.expires, .id = id}));
  current_.expires = std::max(current_.expires, request.expires);
  CHECK(table_.add(id, request.expires, tag));
  recorded_ = now;
  return Seen::kNew;
}

// Those whose nonces are all forgotten; that they are is written first.
Result<void> SeenRequests::Impl::delete_expired() {
  auto gone = [&](const OldFile& file) { return file.expires <= table_.forgotten(); };
  if (!file_ || std::ranges::none_of(old_, gone)) return {};
  TRY_VOID(file_->append({.kind = Kind::kForgotten, .value = table_.forgotten()}));
  std::error_code failed;
  for (const OldFile& file : old_) {
    if (gone(file)) fs::remove(file.path, failed);
  }
  std::erase_if(old_, gone);
  if (failed) return system_failure("deleting a file of nonces", failed.value());
  return {};
}

Result<void> SeenRequests::Impl::tidy(UnixMs now) {
  Fd disk;
  std::uint64_t number = 0;
  std::uint64_t leases = 0;
  UnixMs until = now + kLeaseMs;
  {
    std::lock_guard hold(mutex_);
    if (closed_) return {};
    table_.drop(now, kDropInTidy);
    TRY_VOID(delete_expired());
    // A node that nobody asks leaves the disk alone.
    bool busy = recorded_ + kBusyForMs > now;
    // One that is longer than any is of a clock that has gone back: a shorter one does, where
    // all before it is on the disk.
    bool lasts = now + kLeaseMs / 2 < lease_ && (lease_ <= until || lossy_);
    if (!busy || lasts) return {};
    TRY_VOID(ready(now));
    TRY_VOID(write_lease(until));
    TRY(disk, file_->handle());
    number = next_number_;
    leases = leases_;
  }
  // Nobody waits for this one.
  int failed = ::fdatasync(disk.get()) == 0 ? 0 : errno;
  std::lock_guard hold(mutex_);
  // In another file it does not stand, and a later one is what holds.
  if (number != next_number_) return {};
  if (failed != 0) return flushed(system_failure("flushing the nonces", failed));
  if (leases == leases_) lease_ = until;
  return {};
}

Result<void> SeenRequests::Impl::close() {
  if (std::exchange(closed_, true) || !file_ || lossy_) return {};
  TRY_VOID(file_->append({.kind = Kind::kForgotten, .value = table_.forgotten()}));
  TRY_VOID(file_->append({.kind = Kind::kClosed}));
  return file_->flush();
}

SeenRequests::SeenRequests(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SeenRequests::~SeenRequests() = default;

Result<std::unique_ptr<SeenRequests>> SeenRequests::open(SeenOptions options, UnixMs now) {
  if (options.boot.empty()) {
    TRY(options.boot, boot_of_kernel());
  }
  SeenId boot = id_of_boot(options.boot);
  auto impl = std::make_unique<Impl>(std::move(options), boot);
  TRY_VOID(impl->open(now));
  return std::unique_ptr<SeenRequests>(new SeenRequests(std::move(impl)));
}

Seen SeenRequests::look(const PublicKey& signer, const Request& request) const {
  SeenId id = id_of(signer, request.nonce);
  std::lock_guard hold(impl_->mutex_);
  return impl_->look(id, request);
}

Result<Seen> SeenRequests::record(const PublicKey& signer, const Request& request,
                                  std::string_view group, UnixMs now) {
  SeenId id = id_of(signer, request.nonce);
  std::lock_guard hold(impl_->mutex_);
  return impl_->record(id, request, tag_of(group), now);
}

Result<void> SeenRequests::tidy(UnixMs now) {
  return impl_->tidy(now);
}

Result<void> SeenRequests::close() {
  std::lock_guard hold(impl_->mutex_);
  return impl_->close();
}

std::size_t SeenRequests::size() const {
  std::lock_guard hold(impl_->mutex_);
  return impl_->size();
}

}  // namespace weft::node
