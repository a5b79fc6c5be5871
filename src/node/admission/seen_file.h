#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/fd.h"
#include "node/object/request.h"

namespace weft::node {

// Of a signer and a nonce: the first half of their SHA-256.
using SeenId = std::array<std::uint8_t, 16>;

// One record of a file of nonces.
struct SeenRecord {
  enum class Kind : std::uint32_t {
    kOpened = 1,     // id: of the boot; value: the floor.
    kNonce = 2,      // id; value: when it expires; tag: of its group.
    kLease = 3,      // value: until when requests may be taken.
    kForgotten = 4,  // value: the latest expiry of what is remembered no more.
    kClosed = 5,     // Nothing was lost before this.
  };
  Kind kind = Kind::kNonce;
  std::uint32_t tag = 0;
  std::uint64_t value = 0;
  SeenId id{};
};

// A file of records that only grows. One owner; not two at a time.
class SeenFile {
 public:
  // kConflict where there is one.
  static Result<SeenFile> create(const std::filesystem::path& path);

  // Into the kernel: it outlives the process. What failed has left nothing behind that reads.
  Result<void> append(const SeenRecord& record);
  // To the disk.
  Result<void> flush() const;
  // The same file, to be flushed beside appends.
  Result<Fd> handle() const;
  std::size_t records() const;

 private:
  SeenFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Fd fd_;
  std::string path_;
  std::uint64_t size_ = 0;
};

enum class SeenTail : std::uint8_t {
  kWhole,
  kCut,      // The last record is not all there, as where a process was killed.
  kDamaged,  // There is one that is not what was written.
};
// Every record that reads, in order.
Result<SeenTail> read_seen_file(const std::filesystem::path& path,
                                const std::function<void(const SeenRecord&)>& each);
// What another process wrote, to the disk.
Result<void> flush_seen_file(const std::filesystem::path& path);

}  // namespace weft::node
