// wasi:keyvalue@0.2.0-draft: cursors are numbers, counters are unsigned, no swaps.
#include <fmt/format.h>

#include <limits>

#include "capabilities/hosted.h"
#include "capabilities/keyvalue/cursors.h"
#include "capabilities/keyvalue/host.h"
#include "wit/wasi/keyvalue_0_2_0_draft/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft/store.h"

namespace weft::keyvalue {
namespace {

namespace wit = ::weft::wit::wasi::keyvalue_0_2_0_draft;

struct Draft {
  using Error = wit::store::Error;
  using Bucket = wit::store::Bucket;
  using StoreHost = wit::store::Host;
};

class DraftBucket final : public HostBucket<Draft> {
 public:
  using HostBucket::HostBucket;
  using Listed = std::expected<wit::store::KeyResponse, E>;

  Answer<Listed> list_keys(Call& call, std::optional<std::uint64_t> number) override {
    std::optional<std::string_view> cursor;
    if (number) {
      cursor = cursors_->find(*number);
      if (!cursor) {
        return Listed(std::unexpected(
            E::other(fmt::format("the cursor {} is none of the last {} that this bucket gave out",
                                 *number, Cursors::kCursorsMax))));
      }
    }
    return bucket()
        ->list(request_of(call), cursor)
        .settle([cursors = cursors_](Result<Page> page) -> Listed {
          if (!page) return std::unexpected(error_of<E>(page.error()));
          wit::store::KeyResponse response{.keys = std::move(page->keys), .cursor = {}};
          if (page->cursor) response.cursor = cursors->keep(*std::move(page->cursor));
          return response;
        });
  }

 private:
  // Shared with answers that come late, maybe after the handle is gone.
  std::shared_ptr<Cursors> cursors_ = std::make_shared<Cursors>();
};

class DraftAtomics final : public wit::atomics::Host {
 public:
  using E = Draft::Error;
  using Sum = std::expected<std::uint64_t, E>;

  Answer<Sum> increment(Call& call, Draft::Bucket& bucket, std::string_view key,
                        std::uint64_t delta) override {
    if (delta > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return Sum(std::unexpected(
          E::other(fmt::format("counters have 64 bits with a sign: {} does not fit", delta))));
    }
    return bucket_of<Draft>(bucket)
        ->increment(request_of(call), key, static_cast<std::int64_t>(delta))
        .settle([](Result<std::int64_t> sum) -> Sum {
          if (!sum) return std::unexpected(error_of<E>(sum.error()));
          if (*sum >= 0) return static_cast<std::uint64_t>(*sum);
          return std::unexpected(
              E::other(fmt::format("the counter is {} now, which is no u64", *sum)));
        });
  }
};

using DraftBatch = BatchHost<Draft, wit::batch::Host, PairOrNothing>;

}  // namespace

std::unique_ptr<Provider> draft_store(std::unique_ptr<Store> store, const Use& use) {
  using Host = StoreHost<Draft, DraftBucket>;
  return std::make_unique<Hosted<Host, wit::store::Binding>>(std::move(store), use);
}

std::unique_ptr<Provider> draft_atomics(std::unique_ptr<Store>, const Use&) {
  return std::make_unique<Hosted<DraftAtomics, wit::atomics::Binding>>();
}

std::unique_ptr<Provider> draft_batch(std::unique_ptr<Store>, const Use&) {
  return std::make_unique<Hosted<DraftBatch, wit::batch::Binding>>();
}

void draft_write_bucket(Writer& out, std::unique_ptr<Bucket> bucket) {
  out.own(Draft::Bucket::kKind, std::make_unique<DraftBucket>(std::move(bucket)));
}

}  // namespace weft::keyvalue
