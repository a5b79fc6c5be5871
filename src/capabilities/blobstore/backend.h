#pragma once

#include <memory>

#include "base/error.h"
#include "capabilities/blobstore/container.h"
#include "capabilities/driver_backend.h"
#include "capabilities/state_folder.h"

namespace weft::blobstore {

// Where containers are kept: one backend for the process, a store of it for each loop.
class Backend : public DriverBackend {
 public:
  // On any loop's thread, when it is open. Does not block.
  virtual std::unique_ptr<Store> store(Loop& loop) = 0;
};

std::unique_ptr<Backend> memory_backend();
std::unique_ptr<Backend> memory_backend(std::size_t bytes_max);
// In the folder `blobs` of the state folder.
std::unique_ptr<Backend> files_backend(StateFolderOnDemand& state);

}  // namespace weft::blobstore
