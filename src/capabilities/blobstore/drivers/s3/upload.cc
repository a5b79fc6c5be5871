#include "capabilities/blobstore/drivers/s3/upload.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft::blobstore::s3 {
namespace {

// What guests write in small pieces is put together to such ones.
constexpr std::size_t kPieceMin = std::size_t{16} << 10;
constexpr std::size_t kPieceRoom = std::size_t{64} << 10;

}  // namespace

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

std::vector<Bytes> Upload::take_part() {
  std::size_t most = client_->settings().part_bytes;
  std::vector<Bytes> part = std::exchange(pieces_, {});
  if (std::exchange(collected_, 0) <= most) return part;
  std::size_t size = 0, count = 0;
  while (size + part[count].size() <= most) size += part[count++].size();
  for (std::size_t i = count; i < part.size(); ++i) {
    Bytes rest = std::move(part[i]);
    if (i == count && size < most) {
      auto cut = rest.begin() + static_cast<std::ptrdiff_t>(most - size);
      part[i].assign(rest.begin(), cut);
      rest.erase(rest.begin(), cut);
    }
    collected_ += rest.size();
    pieces_.push_back(std::move(rest));
  }
  part.resize(size < most ? count + 1 : count);
  return part;
}

Task<void> Upload::wait_sent(Request request) {
  while (sending_) CO_TRY_VOID(co_await sent_.wait(request.deadline));
  co_return outcome_;
}

Task<void> Upload::add(Request request, Bytes bytes) {
  if (bytes.empty()) co_return Result<void>();
  std::size_t most = client_->settings().part_bytes;
  collect(std::move(bytes));
  if (sending_ && collected_ <= most / 2) co_return Result<void>();
  if (sending_ || !outcome_) CO_TRY_VOID(co_await wait_sent(request));
  if (collected_ > most) send(take_part());
  co_return Result<void>();
}

void Upload::send(std::vector<Bytes> part) {
  CHECK(!sending_);
  sending_ = true;
  client_->loop().spawn(send_part(shared_from_this(), std::move(part)));
}

// The outcome is told to whoever writes on.
Task<void> Upload::send_part(std::shared_ptr<Upload> upload, std::vector<Bytes> part) {
  Request request{upload->client_->loop(), Deadline::after(kPartTime)};
  upload->outcome_ = co_await upload->send_now(request, part);
  part.clear();
  upload->sending_ = false;
  upload->sent_.raise();
  if (upload->over_) upload->clean_up();
  co_return Result<void>();
}

Task<void> Upload::send_now(Request request, const std::vector<Bytes>& part) {
  if (id_.empty()) {
    CO_TRY(id_, co_await client_->begin_upload(request, key_, name_));
  }
  if (begun_ == kPartsMax) {
    co_return failure(Errc::kLimit,
                      fmt::format("an object of more than {} parts of {} bytes: the operator's "
                                  "`part-size` makes them larger",
                                  kPartsMax, client_->settings().part_bytes));
  }
  CO_TRY(Part sent, co_await client_->put_part(request, key_, id_, ++begun_, part));
  parts_.push_back(std::move(sent));
  co_return Result<void>();
}

Task<void> Upload::commit(Request request) {
  CO_TRY_VOID(co_await wait_sent(request));
  std::vector<Bytes> last = take_part();
  if (id_.empty()) co_return co_await client_->put(request, key_, last, name_);
  if (!last.empty()) CO_TRY_VOID(co_await send_now(request, last));
  CO_TRY_VOID(co_await client_->complete(request, key_, id_, parts_));
  id_.clear();
  co_return Result<void>();
}

void Upload::abandon() {
  over_ = true;
  pieces_.clear();
  if (!sending_) clean_up();
}

// What the server keeps of a half upload costs its owner money.
void Upload::clean_up() {
  if (id_.empty()) return;
  auto abort = [](std::shared_ptr<Client> client, std::string key, std::string id) -> Task<void> {
    Request request{client->loop(), Deadline::after(kAbortTime)};
    co_return co_await client->abort(request, std::move(key), std::move(id));
  };
  client_->loop().spawn(abort(client_, key_, std::exchange(id_, {})));
}

}  // namespace weft::blobstore::s3
