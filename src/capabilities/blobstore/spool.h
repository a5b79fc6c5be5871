#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/fd.h"
#include "capabilities/blobstore/container.h"

namespace weft {
class Pool;
}  // namespace weft

namespace weft::blobstore {

// Bytes that wait until it is known which object they belong to: a few in memory, more in a file
// without a name in the system's folder for such, gone with the object.
//
// One task at a time; the owner keeps it until the task has ended.
class Spool {
 public:
  static constexpr std::size_t kMemoryMax = 64 << 10;
  static constexpr std::uint64_t kBytesMax = 1 << 30;

  // The pool, where the file is waited for, outlives the spool.
  explicit Spool(Pool& pool, std::uint64_t bytes_max = kBytesMax)
      : pool_(pool), bytes_max_(bytes_max) {}

  // Fails with kLimit beyond the bound.
  Task<void> add(Request request, Bytes part);
  // The first bytes, removed, at most kPartBytesMax of them; none when it is empty.
  Task<Bytes> take(Request request);
  bool empty() const { return taken_ == in_file_ && memory_.empty(); }

 private:
  Task<void> write(Request request, Bytes bytes);

  Pool& pool_;
  const std::uint64_t bytes_max_;
  std::shared_ptr<Fd> file_;  // Shared with a read or write that a thread is at.
  std::uint64_t in_file_ = 0;
  std::uint64_t taken_ = 0;  // Of the file.
  Bytes memory_;             // What comes behind the file.
};

}  // namespace weft::blobstore
