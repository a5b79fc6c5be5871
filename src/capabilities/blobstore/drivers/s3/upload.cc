#include "capabilities/blobstore/drivers/s3/upload.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"

namespace weft::blobstore::s3 {

Task<void> Upload::put_whole(Request request, const std::vector<Bytes>& object) {
  co_return co_await client_->put(request, key_, object, name_);
}

Task<void> Upload::put_part(Request request, const std::vector<Bytes>& part) {
  if (id_.empty()) {
    CO_TRY(id_, co_await client_->begin_upload(request, key_, name_));
  }
  if (numbered_ == kPartsMax) {
    co_return failure(Errc::kLimit,
                      fmt::format("an object of more than {} parts of {} bytes: the operator's "
                                  "`part-size` makes them larger",
                                  kPartsMax, part_bytes()));
  }
  CO_TRY(Part sent, co_await client_->put_part(request, key_, id_, ++numbered_, part));
  parts_.push_back(std::move(sent));
  co_return Result<void>();
}

Task<void> Upload::complete(Request request) {
  CO_TRY_VOID(co_await client_->complete(request, key_, id_, parts_));
  id_.clear();
  co_return Result<void>();
}

void Upload::clean_up() {
  if (id_.empty()) return;
  auto abort = [](std::shared_ptr<Client> client, std::string key, std::string id) -> Task<void> {
    Request request{client->loop(), Deadline::after(kAbortTime)};
    co_return co_await client->abort(request, std::move(key), std::move(id));
  };
  loop().spawn(abort(client_, key_, std::exchange(id_, {})));
}

}  // namespace weft::blobstore::s3
