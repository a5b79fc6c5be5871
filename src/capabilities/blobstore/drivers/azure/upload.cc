#include "capabilities/blobstore/drivers/azure/upload.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "base/check.h"
#include "io/loop.h"
#include "remote/base64.h"

namespace weft::blobstore::azure {
namespace {

// What guests write in small pieces is put together to such ones.
constexpr std::size_t kPieceMin = std::size_t{16} << 10;
constexpr std::size_t kPieceRoom = std::size_t{64} << 10;

std::string sixteen_digits() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

Upload::Upload(std::shared_ptr<remote::azure::Blobs> blobs, std::size_t block_bytes,
               std::string name, std::string noted)
    : blobs_(std::move(blobs)),
      block_bytes_(block_bytes),
      name_(std::move(name)),
      noted_(std::move(noted)),
      mine_(sixteen_digits()),
      sent_(blobs_->loop()) {}

void Upload::collect(Bytes bytes) {
  collected_ += bytes.size();
  Bytes* last = pieces_.empty() ? nullptr : &pieces_.back();
  bool fits = last != nullptr && last->capacity() - last->size() >= bytes.size();
  if (fits) {
    last->insert(last->end(), bytes.begin(), bytes.end());
    return;
  }
  if (bytes.size() < kPieceMin) bytes.reserve(kPieceRoom);
  pieces_.push_back(std::move(bytes));
}

std::vector<Bytes> Upload::take_block() {
  std::vector<Bytes> block = std::exchange(pieces_, {});
  if (std::exchange(collected_, 0) <= block_bytes_) return block;
  std::size_t size = 0, count = 0;
  while (size + block[count].size() <= block_bytes_) size += block[count++].size();
  for (std::size_t i = count; i < block.size(); ++i) {
    Bytes rest = std::move(block[i]);
    if (i == count && size < block_bytes_) {
      auto cut = rest.begin() + static_cast<std::ptrdiff_t>(block_bytes_ - size);
      block[i].assign(rest.begin(), cut);
      rest.erase(rest.begin(), cut);
    }
    collected_ += rest.size();
    pieces_.push_back(std::move(rest));
  }
  block.resize(size < block_bytes_ ? count + 1 : count);
  return block;
}

Task<void> Upload::wait_sent(Request request) {
  while (sending_) CO_TRY_VOID(co_await sent_.wait(request.deadline));
  co_return outcome_;
}

Task<void> Upload::add(Request request, Bytes bytes) {
  if (bytes.empty()) co_return Result<void>();
  collect(std::move(bytes));
  if (sending_ && collected_ <= block_bytes_ / 2) co_return Result<void>();
  if (sending_ || !outcome_) CO_TRY_VOID(co_await wait_sent(request));
  if (collected_ > block_bytes_) send(take_block());
  co_return Result<void>();
}

void Upload::send(std::vector<Bytes> block) {
  CHECK(!sending_);
  sending_ = true;
  blobs_->loop().spawn(send_block(shared_from_this(), std::move(block)));
}

// The outcome is told to whoever writes on.
Task<void> Upload::send_block(std::shared_ptr<Upload> upload, std::vector<Bytes> block) {
  upload->outcome_ = co_await upload->send_now(Deadline::after(kBlockTime), block);
  block.clear();
  upload->sending_ = false;
  upload->sent_.raise();
  co_return Result<void>();
}

Task<void> Upload::send_now(Deadline deadline, const std::vector<Bytes>& block) {
  if (blocks_.size() == kBlocksMax) {
    co_return failure(Errc::kLimit,
                      fmt::format("an object of more than {} parts of {} bytes: the operator's "
                                  "`part-size` makes them larger",
                                  kBlocksMax, block_bytes_));
  }
  // Of one length for all blocks of a blob, whoever sends them, as Azure asks.
  std::string id = remote::base64(as_bytes(fmt::format("{}{:08}", mine_, blocks_.size())));
  CO_TRY_VOID(co_await blobs_->put_block(name_, id, block, deadline));
  blocks_.push_back(std::move(id));
  co_return Result<void>();
}

Task<void> Upload::commit(Request request) {
  CO_TRY_VOID(co_await wait_sent(request));
  std::vector<Bytes> last = take_block();
  if (blocks_.empty()) {
    // Beginning it twice leaves what one does.
    CO_TRY_VOID(co_await blobs_->put(
        name_, last, {.noted = noted_, .repeat = remote::azure::Blobs::Repeat::kYes},
        request.deadline));
    co_return Result<void>();
  }
  if (!last.empty()) CO_TRY_VOID(co_await send_now(request.deadline, last));
  co_return co_await blobs_->put_blocks(name_, blocks_, noted_, request.deadline);
}

}  // namespace weft::blobstore::azure
