#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"
#include "node/object/key.h"
#include "node/object/receipt.h"
#include "node/object/record.h"

namespace weft::node {

// Frames that a reader keeps without a seal: a node sends one behind 64 of them.
inline constexpr std::uint64_t kUnprovenMax = 64;

// Who reads a run's output and believes only what the node signed: takes the records of a stream,
// gives the frames that a seal or the receipt proves.
//
// A value of one connection's reader; on a new connection a stream that begins at `proven()` goes
// on.
class ProvenOutput {
 public:
  using Frame = std::function<void(OutputStream stream, BytesView bytes)>;

  ProvenOutput(const Hash& request, const PublicKey& node) : request_(request), node_(node) {
    chain_ = request;
  }

  // Bytes as they come; what is not a whole record yet is kept. kInvalid, kDenied: it is not what
  // the node signed, and nothing more is taken.
  Result<void> take(BytesView bytes, const Frame& frame);
  // The connection is gone: forgets what was not proven.
  void broken();

  std::uint64_t proven() const { return proven_; }  // Frames: where to resume.
  const std::optional<Receipt>& receipt() const { return receipt_; }
  // Whether the node said that no frame follows: all of it is proven, and the receipt on its way.
  bool complete() const { return complete_; }
  // Whether some of a call's result is proven.
  bool returned() const { return returned_; }
  // The receipt as the node signed it.
  const Bytes& receipt_bytes() const { return receipt_bytes_; }

 private:
  Result<void> prove(const SignedView& view, const Seal& seal, const Frame& frame);

  const Hash request_;
  const PublicKey node_;
  Bytes rest_;     // Not a whole record.
  Bytes waiting_;  // Records of frames that are not proven.
  Hash chain_;     // Of the proven frames.
  Hash ahead_;     // Of those that wait as well.
  std::uint64_t proven_ = 0;
  std::uint64_t waiting_frames_ = 0;
  std::optional<Receipt> receipt_;
  Bytes receipt_bytes_;
  bool complete_ = false;
  bool returned_ = false;
};

}  // namespace weft::node
