#include "capabilities/blobstore/names.h"

#include <algorithm>
#include <utility>

namespace weft::blobstore {

class ObjectNames::Turn {
 public:
  explicit Turn(bool& busy) : busy_(busy) { busy_ = true; }
  Turn(const Turn&) = delete;
  ~Turn() { busy_ = false; }

 private:
  bool& busy_;
};

// Whether there is a name in the page, after reading the next one where there was none.
Task<bool> ObjectNames::fill(Request request) {
  while (next_ == page_.names.size()) {
    if (!page_.more) co_return false;
    CO_TRY(page_, co_await container_->list(request, last_));
    next_ = 0;
    if (!page_.names.empty()) last_ = page_.names.back();
  }
  co_return true;
}

Task<ObjectNames::Piece> ObjectNames::read(Request request, std::uint64_t count) {
  if (busy_) co_return failure(Errc::kConflict, "this list is being read already");
  Turn turn(busy_);
  Piece piece;
  std::size_t bytes = 0;
  while (piece.names.size() < std::min<std::uint64_t>(count, kReadNamesMax)) {
    CO_TRY(bool more, co_await fill(request));
    if (!more) break;
    bytes += page_.names[next_].size();
    if (bytes > kReadBytesMax && !piece.names.empty()) break;
    piece.names.push_back(std::move(page_.names[next_++]));
  }
  piece.end = at_end();
  co_return piece;
}

Task<ObjectNames::Skipped> ObjectNames::skip(Request request, std::uint64_t count) {
  if (busy_) co_return failure(Errc::kConflict, "this list is being read already");
  Turn turn(busy_);
  Skipped skipped;
  while (skipped.count < count) {
    CO_TRY(bool more, co_await fill(request));
    if (!more) break;
    auto step = std::min<std::uint64_t>(count - skipped.count, page_.names.size() - next_);
    next_ += static_cast<std::size_t>(step);
    skipped.count += step;
  }
  skipped.end = at_end();
  co_return skipped;
}

}  // namespace weft::blobstore
