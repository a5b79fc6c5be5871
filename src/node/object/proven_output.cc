#include "node/object/proven_output.h"

#include <fmt/format.h>

#include <utility>

namespace weft::node {

Result<void> ProvenOutput::take(BytesView bytes, const Frame& frame) {
  rest_.insert(rest_.end(), bytes.begin(), bytes.end());
  BytesView left = rest_;
  while (true) {
    TRY(RecordView record, take_record(left));
    if (record.size == 0) break;
    if (receipt_) return failure(Errc::kInvalid, "something comes behind the receipt");
    BytesView whole = left.first(record.size);
    left = left.subspan(record.size);
    if (record.type == RecordType::kFrame) {
      if (waiting_frames_ == kUnprovenMax) {
        return failure(Errc::kInvalid, fmt::format("{} frames without a seal", kUnprovenMax));
      }
      if (waiting_frames_++ == 0) ahead_ = chain_;
      ahead_ = next_chain(ahead_, record.bytes[0], record.payload());
      waiting_.insert(waiting_.end(), whole.begin(), whole.end());
    } else if (record.type == RecordType::kSeal) {
      TRY(SignedView view, SignedView::open(record.bytes, ObjectKind::kSeal));
      TRY(Seal seal, read_seal(view));
      TRY_VOID(prove(view, seal, frame));
      complete_ = seal.last;
    } else {
      TRY(SignedView view, SignedView::open(record.bytes, ObjectKind::kReceipt));
      TRY(Receipt receipt, read_receipt(view));
      Seal seal{receipt.request, receipt.frames, receipt.chain};
      TRY_VOID(prove(view, seal, frame));
      receipt_ = std::move(receipt);
      complete_ = true;
      receipt_bytes_.assign(record.bytes.begin(), record.bytes.end());
    }
  }
  rest_.erase(rest_.begin(), rest_.end() - static_cast<std::ptrdiff_t>(left.size()));
  return {};
}

Result<void> ProvenOutput::prove(const SignedView& view, const Seal& seal, const Frame& frame) {
  if (view.signer() != node_ || !view.verify()) {
    return failure(Errc::kDenied, "the output is not signed by the node that was asked");
  }
  if (seal.request != request_) {
    return failure(Errc::kDenied, "the output is that of another request");
  }
  const Hash& chain = waiting_frames_ == 0 ? chain_ : ahead_;
  if (seal.frames != proven_ + waiting_frames_ || seal.chain != chain) {
    return failure(Errc::kDenied, "the output is not what the node signed");
  }
  chain_ = chain;
  proven_ = seal.frames;
  waiting_frames_ = 0;
  Bytes records = std::exchange(waiting_, {});
  for (BytesView left = records; !left.empty();) {
    TRY(RecordView record, take_record(left));
    returned_ |= record.stream() == OutputStream::kResult;
    if (frame) frame(record.stream(), record.payload());
    left = left.subspan(record.size);
  }
  return {};
}

void ProvenOutput::broken() {
  rest_.clear();
  waiting_.clear();
  waiting_frames_ = 0;
}

}  // namespace weft::node
