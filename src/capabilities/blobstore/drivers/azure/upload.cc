#include "capabilities/blobstore/drivers/azure/upload.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "remote/base64.h"

namespace weft::blobstore::azure {
namespace {

std::string sixteen_digits() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

Upload::Upload(std::shared_ptr<remote::azure::Blobs> blobs, std::size_t block_bytes,
               std::string name, std::string noted)
    : PartedUpload(blobs->loop(), block_bytes),
      blobs_(std::move(blobs)),
      name_(std::move(name)),
      noted_(std::move(noted)),
      mine_(sixteen_digits()) {}

Task<void> Upload::put_whole(Request request, const std::vector<Bytes>& object) {
  // Beginning it twice leaves what one does.
  CO_TRY_VOID(co_await blobs_->put(name_, object,
                                   {.noted = noted_, .repeat = remote::azure::Blobs::Repeat::kYes},
                                   request.deadline));
  co_return Result<void>();
}

Task<void> Upload::put_part(Request request, const std::vector<Bytes>& block) {
  if (blocks_.size() == kBlocksMax) {
    co_return failure(Errc::kLimit,
                      fmt::format("an object of more than {} parts of {} bytes: the operator's "
                                  "`part-size` makes them larger",
                                  kBlocksMax, part_bytes()));
  }
  // Of one length for all blocks of a blob, whoever sends them, as Azure asks.
  std::string id = remote::base64(as_bytes(fmt::format("{}{:08}", mine_, blocks_.size())));
  CO_TRY_VOID(co_await blobs_->put_block(name_, id, block, request.deadline));
  blocks_.push_back(std::move(id));
  co_return Result<void>();
}

Task<void> Upload::complete(Request request) {
  co_return co_await blobs_->put_blocks(name_, blocks_, noted_, request.deadline);
}

}  // namespace weft::blobstore::azure
