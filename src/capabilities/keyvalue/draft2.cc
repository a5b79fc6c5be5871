// wasi:keyvalue@0.2.0-draft2: cursors are text, counters are signed, swaps, two shapes of batch.
#include "capabilities/hosted.h"
#include "capabilities/keyvalue/host.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/store.h"
#include "wit/weft/keyvalue_rows_0_2_0_draft2/batch.h"

namespace weft::keyvalue {
namespace {

namespace wit = ::weft::wit::wasi::keyvalue_0_2_0_draft2;
namespace rows = ::weft::wit::weft::keyvalue_rows_0_2_0_draft2;

struct Draft2 {
  using Error = wit::store::Error;
  using Bucket = wit::store::Bucket;
  using StoreHost = wit::store::Host;
};
using E = Draft2::Error;

class Draft2Bucket final : public HostBucket<Draft2> {
 public:
  using HostBucket::HostBucket;
  using Listed = std::expected<wit::store::KeyResponse, E>;

  Answer<Listed> list_keys(Call& call, std::optional<std::string_view> cursor) override {
    return bucket()->list(request_of(call), cursor).settle([](Result<Page> page) -> Listed {
      if (!page) return std::unexpected(error_of<E>(page.error()));
      return wit::store::KeyResponse{std::move(page->keys), std::move(page->cursor)};
    });
  }
};

// What a key held when the handle was made: the basis of a swap.
class HostCas final : public wit::atomics::Cas {
 public:
  HostCas(std::shared_ptr<Bucket> from, std::string name, Snapshot seen)
      : bucket(std::move(from)), key(std::move(name)), basis(std::move(seen)) {}

  Answer<std::expected<std::optional<Bytes>, E>> current(Call&) override {
    return std::expected<std::optional<Bytes>, E>(basis.value);
  }

  std::shared_ptr<Bucket> bucket;  // Shared with the bucket's handle, which may go first.
  std::string key;
  Snapshot basis;
};

class Draft2Atomics final : public wit::atomics::Host {
 public:
  using Made = std::expected<std::unique_ptr<wit::atomics::Cas>, E>;
  using Swapped = std::expected<void, wit::atomics::CasError>;

  Answer<std::expected<std::int64_t, E>> increment(Call& call, Draft2::Bucket& bucket,
                                                   std::string_view key,
                                                   std::int64_t delta) override {
    return result_of<E>(bucket_of<Draft2>(bucket)->increment(request_of(call), key, delta));
  }

  Answer<Made> cas_new(Call& call, Draft2::Bucket& lent, std::string_view key) override {
    auto bucket = bucket_of<Draft2>(lent);
    auto snapshot = bucket->snapshot(request_of(call), key);
    return std::move(snapshot).settle([bucket = std::move(bucket), key = std::string(key)](
                                          Result<Snapshot> seen) mutable -> Made {
      if (!seen) return std::unexpected(error_of<E>(seen.error()));
      return std::make_unique<HostCas>(std::move(bucket), std::move(key), *std::move(seen));
    });
  }

  // A lost swap hands out a handle that has seen the newest value, to try again with.
  Answer<Swapped> swap(Call& call, std::unique_ptr<wit::atomics::Cas> handle,
                       BytesView value) override {
    std::unique_ptr<HostCas> cas(static_cast<HostCas*>(handle.release()));
    auto answer = cas->bucket->swap(request_of(call), cas->key, cas->basis, value);
    return std::move(answer).settle(
        [cas = std::move(cas)](Result<std::optional<Snapshot>> newest) mutable -> Swapped {
          using wit::atomics::CasError;
          if (!newest) {
            return std::unexpected(CasError::store_error(error_of<E>(newest.error())));
          }
          if (!*newest) return {};
          cas->basis = **std::move(newest);
          return std::unexpected(CasError::cas_failed(std::move(cas)));
        });
  }
};

using Draft2Batch = BatchHost<Draft2, wit::batch::Host, PairOrNothing>;
using Draft2BatchRows = BatchHost<Draft2, rows::batch::Host, KeyAndValue>;

}  // namespace

std::unique_ptr<Provider> draft2_store(std::unique_ptr<Store> store, const Use& use) {
  using Host = StoreHost<Draft2, Draft2Bucket>;
  return std::make_unique<Hosted<Host, wit::store::Binding>>(std::move(store), use);
}

std::unique_ptr<Provider> draft2_atomics(std::unique_ptr<Store>, const Use&) {
  return std::make_unique<Hosted<Draft2Atomics, wit::atomics::Binding>>();
}

std::unique_ptr<Provider> draft2_batch(std::unique_ptr<Store>, const Use&) {
  return std::make_unique<Hosted<Draft2Batch, wit::batch::Binding>>();
}

std::unique_ptr<Provider> draft2_batch_rows(std::unique_ptr<Store>, const Use&) {
  return std::make_unique<Hosted<Draft2BatchRows, rows::batch::Binding>>();
}

void draft2_write_bucket(Writer& out, std::unique_ptr<Bucket> bucket) {
  out.own(Draft2::Bucket::kKind, std::make_unique<Draft2Bucket>(std::move(bucket)));
}

}  // namespace weft::keyvalue
