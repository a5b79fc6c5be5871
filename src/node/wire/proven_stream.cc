#include "node/wire/proven_stream.h"

#include <utility>

namespace weft::node {
namespace {

// Opens what a node has signed: of that kind, and by that key.
Result<SignedView> signed_by(const PublicKey& node, BytesView bytes, ObjectKind kind) {
  TRY(SignedView view, SignedView::open(bytes, kind));
  if (view.signer() != node || !view.verify()) {
    return failure(Errc::kDenied, "the node's output is signed by another key");
  }
  return view;
}

}  // namespace

ProvenStream::ProvenStream(const PublicKey& node, const Hash& request, Position from, Take take)
    : node_(node), request_(request), take_(std::move(take)), proven_(from), held_at_(from) {}

Result<void> ProvenStream::take(const Record& record) {
  if (receipt_) return failure(Errc::kCorrupt, "the node's output goes on behind its receipt");
  switch (record.type) {
    case RecordType::kFrame: return frame(record.bytes);
    case RecordType::kSeal: {
      TRY(SignedView view, signed_by(node_, record.bytes, ObjectKind::kSeal));
      TRY(Seal seal, read_seal(view));
      if (seal.request != request_) return failure(Errc::kDenied, "a seal of another run");
      return prove(seal.frames, seal.chain);
    }
    case RecordType::kReceipt: {
      TRY(SignedView view, signed_by(node_, record.bytes, ObjectKind::kReceipt));
      TRY(Receipt receipt, read_receipt(view));
      if (receipt.request != request_) return failure(Errc::kDenied, "a receipt of another run");
      TRY_VOID(prove(receipt.frames, receipt.chain));
      receipt_ = std::move(receipt);
      receipt_bytes_.assign(record.bytes.begin(), record.bytes.end());
      return {};
    }
  }
  return failure(Errc::kCorrupt, "a record of a type that is not known here");
}

Result<void> ProvenStream::frame(BytesView bytes) {
  if (held_.size() == kFramesUnsealedMax) {
    return failure(Errc::kCorrupt, "the node sends more than it seals");
  }
  auto stream = bytes.empty() ? 0 : bytes[0];
  if (stream < static_cast<std::uint8_t>(OutputStream::kStdout) ||
      stream > static_cast<std::uint8_t>(OutputStream::kResult)) {
    return failure(Errc::kCorrupt, "a frame of a stream that is not known here");
  }
  held_at_ = {held_at_.frames + 1, next_chain(held_at_.chain, stream, bytes.subspan(1))};
  held_.emplace_back(bytes.begin(), bytes.end());
  return {};
}

Result<void> ProvenStream::prove(std::uint64_t frames, const Hash& chain) {
  if (frames != held_at_.frames || chain != held_at_.chain) {
    return failure(Errc::kCorrupt, "the node's output is not what the node has sealed");
  }
  for (const Bytes& bytes : std::exchange(held_, {})) {
    take_(static_cast<OutputStream>(bytes[0]), BytesView(bytes).subspan(1));
  }
  proven_ = held_at_;
  return {};
}

}  // namespace weft::node
