#pragma once

#include <memory>

#include "base/error.h"
#include "capabilities/driver_backend.h"
#include "capabilities/keyvalue/bucket.h"
#include "capabilities/state_folder.h"

namespace weft::keyvalue {

// Where buckets are kept: one backend for the process, a store of it for each loop.
class Backend : public DriverBackend {
 public:
  // On any loop's thread, when it is open. Does not block.
  virtual std::unique_ptr<Store> store(Loop& loop) = 0;
};

std::unique_ptr<Backend> memory_backend();
std::unique_ptr<Backend> memory_backend(std::size_t bytes_max);
// In the folder `keyvalue` of the state folder, which outlives it.
std::unique_ptr<Backend> lmdb_backend(StateFolderOnDemand& state);
// The same, in a file of so many bytes at most, in whole steps: one at least. One that has more by
// now does not grow.
inline constexpr std::uint64_t kFileBytesStep = 64 * 1024;
std::unique_ptr<Backend> bounded_lmdb_backend(StateFolderOnDemand& state, std::uint64_t bytes_max);

}  // namespace weft::keyvalue
