#include "capabilities/blobstore/drivers/parted_upload.h"

#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft::blobstore {
namespace {

// What guests write in small pieces is put together to such ones.
constexpr std::size_t kPieceMin = std::size_t{16} << 10;
constexpr std::size_t kPieceRoom = std::size_t{64} << 10;

}  // namespace

void PartedUpload::collect(Bytes bytes) {
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

std::vector<Bytes> PartedUpload::take_part() {
  std::vector<Bytes> part = std::exchange(pieces_, {});
  if (std::exchange(collected_, 0) <= part_bytes_) return part;
  std::size_t size = 0, count = 0;
  while (size + part[count].size() <= part_bytes_) size += part[count++].size();
  for (std::size_t i = count; i < part.size(); ++i) {
    Bytes rest = std::move(part[i]);
    if (i == count && size < part_bytes_) {
      auto cut = rest.begin() + static_cast<std::ptrdiff_t>(part_bytes_ - size);
      part[i].assign(rest.begin(), cut);
      rest.erase(rest.begin(), cut);
    }
    collected_ += rest.size();
    pieces_.push_back(std::move(rest));
  }
  part.resize(size < part_bytes_ ? count + 1 : count);
  return part;
}

Task<void> PartedUpload::wait_sent(Request request) {
  while (sending_) CO_TRY_VOID(co_await sent_.wait(request.deadline));
  co_return outcome_;
}

Task<void> PartedUpload::add(Request request, Bytes bytes) {
  if (bytes.empty()) co_return Result<void>();
  collect(std::move(bytes));
  if (sending_ && collected_ <= part_bytes_ / 2) co_return Result<void>();
  if (sending_ || !outcome_) CO_TRY_VOID(co_await wait_sent(request));
  if (collected_ > part_bytes_) send(take_part());
  co_return Result<void>();
}

void PartedUpload::send(std::vector<Bytes> part) {
  CHECK(!sending_);
  sending_ = begun_ = true;
  loop_.spawn(send_part(shared_from_this(), std::move(part)));
}

// The outcome is told to whoever writes on.
Task<void> PartedUpload::send_part(std::shared_ptr<PartedUpload> upload, std::vector<Bytes> part) {
  Request request{upload->loop_, Deadline::after(kPartTime)};
  upload->outcome_ = co_await upload->put_part(request, part);
  part.clear();
  upload->sending_ = false;
  upload->sent_.raise();
  if (upload->over_) upload->clean_up();
  co_return Result<void>();
}

Task<void> PartedUpload::commit(Request request) {
  CO_TRY_VOID(co_await wait_sent(request));
  std::vector<Bytes> last = take_part();
  if (!begun_) co_return co_await put_whole(request, last);
  if (!last.empty()) CO_TRY_VOID(co_await put_part(request, last));
  co_return co_await complete(request);
}

void PartedUpload::abandon() {
  over_ = true;
  pieces_.clear();
  if (!sending_) clean_up();
}

}  // namespace weft::blobstore
