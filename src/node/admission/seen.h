#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "node/object/request.h"

namespace weft::node {

// Nonces that have not expired, of all groups together. With more of them nothing new is taken, and
// none is forgotten. A group gets no more places than are left free: however many are taken, and by
// how many groups, there is one for another.
inline constexpr std::size_t kSeenMax = 500'000;
// A file takes nonces for so long, or so many; it is deleted when all of them have expired.
inline constexpr std::chrono::seconds kSeenFileFor{60};
inline constexpr std::size_t kSeenFileRecordsMax = 200'000;
// Before a request is taken at some time, the disk knows for certain that requests may have been
// taken until then: this is how far ahead it is told, by a flush.
inline constexpr std::chrono::seconds kSeenLease{15};

enum class Seen : std::uint8_t {
  kNew,
  kSeen,     // Taken before.
  kTooOld,   // It may have been taken before, and forgotten: see README.md.
  kNoPlace,  // As many as may be are remembered.
};

// Where `tidy` is, when it changes from one file to the next.
enum class SeenSwitch : std::uint8_t {
  kMade,  // The next one is on the disk, and nothing uses it.
  kUsed,  // Nonces go into it; what came before may not be on the disk.
};

struct SeenOptions {
  std::filesystem::path folder;
  // Of the kernel: another one means that what was not flushed may be lost. Empty: it is asked.
  std::string boot = {};
  std::size_t most = kSeenMax;
  // Of tests, which look at what a crash would find: called by `tidy`, and may look and record.
  std::function<void(SeenSwitch)> switching = {};
};

// The requests that were taken, by (signer, nonce), until they expire; across restarts, kill -9,
// power cuts, and whatever the clock does.
//
// One a node; from any thread, behind a lock. Its folder is its own. What an unverified request
// says changes nothing here: only `record` does, and it is for those that stand.
class SeenRequests {
 public:
  static Result<std::unique_ptr<SeenRequests>> open(SeenOptions options, UnixMs now);
  ~SeenRequests();
  SeenRequests(const SeenRequests&) = delete;

  // Whether it would be new. Looks, and changes nothing.
  Seen look(const PublicKey& signer, const Request& request) const;
  // Remembers it before anything is done for it; kNew: it was written to a file of the kernel's,
  // which outlives the process, and goes to the disk with the next lease. An error where that
  // cannot be: then the request must not be taken.
  Result<Seen> record(const PublicKey& signer, const Request& request, std::string_view group,
                      UnixMs now);

  // Once a second or so, not on a loop: forgets what has expired, deletes files, makes the next one
  // and renews the lease ahead, so that no request waits for the disk. Takes no lock while it does.
  Result<void> tidy(UnixMs now);
  // Flushes, and says that nothing is lost. Nothing is recorded after it.
  Result<void> close();

  std::size_t size() const;

 private:
  class Impl;
  explicit SeenRequests(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::node
