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
// With so many `tidy` makes the next file: long before a request would have to.
constexpr std::size_t kFileRecordsEnough = kSeenFileRecordsMax / 2;

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
  bool cut = false;  // A file ends in half a record.
  bool damaged = false;
};

struct OldFile {
  fs::path path;
  UnixMs expires = 0;  // The last nonce in it.
};

// What is left goes with the next opening.
Result<void> remove_files(const std::vector<fs::path>& paths) {
  std::error_code failed;
  for (const fs::path& path : paths) {
    std::error_code each;
    fs::remove(path, each);
    if (each) failed = each;
  }
  if (failed) return system_failure("deleting a file of nonces", failed.value());
  return {};
}

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
  Result<void> read(const fs::path& path, UnixMs now, Past& past);
  Result<SeenFile> make_file(const fs::path& path, UnixMs forgotten,
                             std::optional<UnixMs> lease) const;
  // Under the lock, these.
  fs::path next_path();
  bool is_old(UnixMs now) const;
  bool is_busy(UnixMs now) const { return recorded_ + kBusyForMs > now; }
  void begin(fs::path path, UnixMs now);
  Result<void> next_file(UnixMs now);
  Result<void> flush_before();
  Result<void> write_lease(UnixMs until);
  Result<void> flushed(Result<void> done);
  Result<void> ready(UnixMs now);
  Result<std::vector<fs::path>> take_expired();
  // Of `tidy`, which take it and let it go again for the disk.
  Result<void> forget(UnixMs now);
  Result<void> switch_file(UnixMs now);
  Result<void> flush_before_beside();
  Result<void> renew_lease(UnixMs now);
  void switching(SeenSwitch at) const;

  const SeenOptions options_;
  const SeenId boot_;
  std::mutex tidying_;  // Taken before the other: one `tidy` at a time.
  SeenTable table_;
  UnixMs floor_ = 0;  // As `open` has found it.
  UnixMs lease_ = 0;
  std::uint64_t leases_ = 0;  // So many were written.
  // None after a failure, and after the end.
  std::optional<SeenFile> file_;
  bool leased_ = false;  // A lease in it is on the disk.
  // The one before it, where that may not be on the disk. Only `tidy` sets it.
  std::optional<SeenFile> before_;
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

Result<void> SeenRequests::Impl::read(const fs::path& path, UnixMs now, Past& past) {
  OldFile file{path, 0};
  auto each = [&](const SeenRecord& record) {
    switch (record.kind) {
      // One that has nothing but these was made ahead, and never used.
      case Kind::kOpened:
        past.boot = record.id;
        past.floor = std::max(past.floor, record.value);
        break;
      case Kind::kForgotten: table_.forget_until(record.value); break;
      case Kind::kNonce:
        past.closed = false;
        file.expires = std::max(file.expires, record.value);
        if (record.value <= now) {
          table_.forget_until(record.value);
        } else {
          table_.add(record.id, record.value, record.tag);
        }
        break;
      case Kind::kLease:
        past.closed = false;
        past.lease = record.value;
        // What came before a lease was on the disk, all of it.
        past.damaged = past.damaged || past.cut;
        break;
      case Kind::kClosed: past.closed = true; break;
    }
  };
  TRY(SeenTail tail, read_seen_file(path, each));
  // The leases to come are in another file: what they are for is on the disk by then.
  TRY_VOID(flush_seen_file(path));
  if (tail == SeenTail::kDamaged) past.damaged = true;
  // Half a record is of a request that was not taken, or of what no flush took along.
  if (tail == SeenTail::kCut) past.cut = true;
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
    TRY_VOID(read(path, now, past));
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
  TRY(auto gone, take_expired());
  return remove_files(gone);
}

// A file begins with all that is not a nonce: those before it may go when their nonces have
// expired. With a lease only where those are on the disk. All of it is there behind this.
Result<SeenFile> SeenRequests::Impl::make_file(const fs::path& path, UnixMs forgotten,
                                               std::optional<UnixMs> lease) const {
  TRY(SeenFile file, SeenFile::create(path));
  TRY_VOID(file.append({.kind = Kind::kOpened, .value = floor_, .id = boot_}));
  TRY_VOID(file.append({.kind = Kind::kForgotten, .value = forgotten}));
  if (lease) {
    TRY_VOID(file.append({.kind = Kind::kLease, .value = *lease}));
  }
  TRY_VOID(file.flush());
  TRY_VOID(sync_folder(options_.folder));
  return file;
}

fs::path SeenRequests::Impl::next_path() {
  return options_.folder / fmt::format("{}{:010}", kPrefix, next_number_++);
}

bool SeenRequests::Impl::is_old(UnixMs now) const {
  return now < file_began_ || now - file_began_ > kFileForMs ||
         file_->records() >= kFileRecordsEnough;
}

void SeenRequests::Impl::begin(fs::path path, UnixMs now) {
  if (!current_.path.empty()) old_.push_back(std::move(current_));
  current_ = {std::move(path), 0};
  file_began_ = now;
}

// For a request that cannot wait for `tidy`: the lock is held until the disk has all of it.
Result<void> SeenRequests::Impl::next_file(UnixMs now) {
  TRY_VOID(flush_before());
  if (file_) {
    TRY_VOID(flushed(file_->flush()));
  }
  file_.reset();
  begin(next_path(), now);
  TRY(file_, make_file(current_.path, table_.forgotten(), lease_));
  leased_ = true;
  return {};
}

// Before a lease is written behind it.
Result<void> SeenRequests::Impl::flush_before() {
  if (!before_) return {};
  auto done = before_->flush();
  before_.reset();
  if (!done) lossy_ = true;
  return done;
}

// What a failed flush leaves behind nobody knows: it goes on in another file.
Result<void> SeenRequests::Impl::flushed(Result<void> done) {
  if (done) return done;
  file_.reset();
  lossy_ = true;
  return done;
}

// A lease is for what comes after it, since what came before it goes to the disk with it, or is
// there where it is in another file. Until it has, none holds that is longer than it or than the
// one before.
Result<void> SeenRequests::Impl::write_lease(UnixMs until) {
  CHECK(!before_);
  TRY_VOID(file_->append({.kind = Kind::kLease, .value = until}));
  lease_ = std::min(lease_, until);
  ++leases_;
  return {};
}

// A file that takes one more, and a lease that covers now.
Result<void> SeenRequests::Impl::ready(UnixMs now) {
  if (closed_) return failure(Errc::kUnavailable, "the node stops");
  bool must = !file_ || file_->records() >= kSeenFileRecordsMax;
  // An old one is changed by `tidy`; here only where this one waits for the disk anyway.
  if (must || (now > lease_ && is_old(now))) {
    TRY_VOID(next_file(now));
  }
  if (now <= lease_) return {};
  TRY_VOID(flush_before());
  TRY_VOID(write_lease(now + kLeaseMs));
  TRY_VOID(flushed(file_->flush()));
  lease_ = now + kLeaseMs;
  leased_ = true;
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

// Those whose nonces are all forgotten; that they are is written first. Their leases go too: one
// that is later must be on the disk.
Result<std::vector<fs::path>> SeenRequests::Impl::take_expired() {
  auto gone = [&](const OldFile& file) { return file.expires <= table_.forgotten(); };
  std::vector<fs::path> paths;
  if (!file_ || !leased_ || std::ranges::none_of(old_, gone)) return paths;
  TRY_VOID(file_->append({.kind = Kind::kForgotten, .value = table_.forgotten()}));
  for (const OldFile& file : old_) {
    if (gone(file)) paths.push_back(file.path);
  }
  std::erase_if(old_, gone);
  return paths;
}

Result<void> SeenRequests::Impl::tidy(UnixMs now) {
  std::lock_guard alone(tidying_);
  TRY_VOID(forget(now));
  auto switched = switch_file(now);
  // Where there is no other file, the one that is there goes on.
  TRY_VOID(flush_before_beside());
  TRY_VOID(renew_lease(now));
  return switched;
}

Result<void> SeenRequests::Impl::forget(UnixMs now) {
  std::vector<fs::path> gone;
  {
    std::lock_guard hold(mutex_);
    if (closed_) return {};
    table_.drop(now, kDropInTidy);
    TRY(gone, take_expired());
  }
  return remove_files(gone);
}

// Makes the next file, and begins to use it when it is on the disk. Until then a crash leaves a
// file that says nothing new. Behind it, the one before may still be on its way to the disk, so
// there is no lease in the new one, and the last of the one before is what holds.
Result<void> SeenRequests::Impl::switch_file(UnixMs now) {
  fs::path path;
  std::uint64_t number = 0;
  UnixMs forgotten = 0;
  {
    std::lock_guard hold(mutex_);
    // A node that nobody asks leaves the disk alone. And no two wait to be flushed.
    if (closed_ || before_ || !is_busy(now) || (file_ && !is_old(now))) return {};
    path = next_path();
    number = next_number_;
    forgotten = table_.forgotten();
  }
  auto made = make_file(path, forgotten, std::nullopt);
  if (made) switching(SeenSwitch::kMade);
  {
    std::lock_guard hold(mutex_);
    // Where a request could not wait, there is one already.
    if (!made || closed_ || number != next_number_) {
      old_.push_back({std::move(path), 0});
      return made ? Result<void>() : std::unexpected(std::move(made).error());
    }
    before_ = std::exchange(file_, std::optional<SeenFile>(*std::move(made)));
    leased_ = false;
    begin(std::move(path), now);
  }
  switching(SeenSwitch::kUsed);
  return {};
}

// As `flush_before`, and nobody waits for it.
Result<void> SeenRequests::Impl::flush_before_beside() {
  Fd disk;
  {
    std::lock_guard hold(mutex_);
    if (!before_) return {};
    TRY(disk, before_->handle());
  }
  int failed = ::fdatasync(disk.get()) == 0 ? 0 : errno;
  std::lock_guard hold(mutex_);
  before_.reset();
  if (failed == 0) return {};
  // A request may have flushed it meanwhile, but a failure is told once.
  lossy_ = true;
  return system_failure("flushing the nonces", failed);
}

Result<void> SeenRequests::Impl::renew_lease(UnixMs now) {
  Fd disk;
  std::uint64_t number = 0;
  std::uint64_t leases = 0;
  UnixMs until = now + kLeaseMs;
  {
    std::lock_guard hold(mutex_);
    if (closed_ || !file_ || !is_busy(now)) return {};
    // One that is longer than any is of a clock that has gone back: a shorter one does, where
    // all before it is on the disk.
    bool lasts = now + kLeaseMs / 2 < lease_ && (lease_ <= until || lossy_);
    if (lasts && leased_) return {};
    if (lossy_) until = std::max(until, lease_);
    TRY(disk, file_->handle());
    TRY_VOID(write_lease(until));
    number = next_number_;
    leases = leases_;
  }
  // Nobody waits for this one.
  int failed = ::fdatasync(disk.get()) == 0 ? 0 : errno;
  std::lock_guard hold(mutex_);
  if (failed != 0) {
    lossy_ = true;
    // Another file is none of this.
    if (number == next_number_) file_.reset();
    return system_failure("flushing the nonces", failed);
  }
  // In another file it does not stand, and a later one is what holds.
  if (number != next_number_) return {};
  leased_ = true;
  if (leases == leases_) lease_ = until;
  return {};
}

void SeenRequests::Impl::switching(SeenSwitch at) const {
  if (options_.switching) options_.switching(at);
}

Result<void> SeenRequests::Impl::close() {
  if (std::exchange(closed_, true) || !file_) return {};
  TRY_VOID(flush_before());
  if (lossy_) return {};
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
