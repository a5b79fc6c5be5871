#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capabilities/blobstore/drivers/parted_upload.h"
#include "remote/azure/blobs.h"

namespace weft::blobstore::azure {

// Blocks that one blob may have.
inline constexpr std::size_t kBlocksMax = 50'000;

// Parts are blocks, and the last request names them. Those that are never named are nowhere seen,
// and Azure throws them away.
class Upload final : public PartedUpload {
 public:
  // `noted` is kept beside the object, unless it is empty.
  Upload(std::shared_ptr<remote::azure::Blobs> blobs, std::size_t block_bytes, std::string name,
         std::string noted);

 private:
  Task<void> put_whole(Request request, const std::vector<Bytes>& object) override;
  Task<void> put_part(Request request, const std::vector<Bytes>& block) override;
  Task<void> complete(Request request) override;

  std::shared_ptr<remote::azure::Blobs> blobs_;  // Shared by all of the loop.
  const std::string name_;
  const std::string noted_;
  const std::string mine_;  // Before the numbers of this upload's blocks, and of no other's.
  std::vector<std::string> blocks_;
};

}  // namespace weft::blobstore::azure
