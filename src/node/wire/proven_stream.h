#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/receipt.h"
#include "node/object/record.h"

namespace weft::node {

// The output of one run, as a client takes it: frames are held until a seal, or the receipt, of the
// node's proves them, and then handed on in order. Pure; one thread.
class ProvenStream {
 public:
  using Take = std::function<void(OutputStream stream, BytesView bytes)>;

  // Where a stream stands: at the beginning, or behind the last proven frame of one that broke.
  struct Position {
    std::uint64_t frames = 0;
    Hash chain = {};
  };
  static Position beginning(const Hash& request) { return {0, request}; }

  // `node` signs for the run of `request`; `from` is where the records begin.
  ProvenStream(const PublicKey& node, const Hash& request, Position from, Take take);

  // Of a record. kCorrupt or kDenied where it does not prove what came before, or is not the
  // node's; what was not handed on by then never is.
  Result<void> take(const Record& record);

  // Behind what was handed on.
  const Position& proven() const { return proven_; }
  // The last record, once it came.
  const std::optional<Receipt>& receipt() const { return receipt_; }
  // Its signed bytes.
  const Bytes& receipt_bytes() const { return receipt_bytes_; }

 private:
  Result<void> frame(BytesView bytes);
  Result<void> prove(std::uint64_t frames, const Hash& chain);

  const PublicKey node_;
  const Hash request_;
  const Take take_;
  Position proven_;
  Position held_at_;
  std::deque<Bytes> held_;
  std::optional<Receipt> receipt_;
  Bytes receipt_bytes_;
};

}  // namespace weft::node
