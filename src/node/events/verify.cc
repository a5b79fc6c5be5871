#include "node/events/verify.h"

#include <fmt/core.h>

#include "node/events/export_events.h"
#include "node/object/signed.h"

namespace weft::node::events {
namespace {

std::unexpected<Error> apart(std::string_view what, std::string_view there, std::string_view here) {
  return failure(Errc::kConflict,
                 fmt::format("the receipt {} {}, the request {}", what, there, here));
}

Result<SignedView> open(BytesView bytes, ObjectKind kind, std::string_view what) {
  auto view = SignedView::open(bytes, kind);
  if (!view) {
    return failure(Errc::kInvalid,
                   fmt::format("this is no signed {}: {}", what, view.error().message()));
  }
  if (view->verify()) return view;
  return failure(Errc::kDenied, fmt::format("the {} is not signed by {}: it was changed, or it is "
                                            "somebody else's",
                                            what, view->signer().text()));
}

Result<void> belongs(const ProvenLine& line, const PublicKey& node) {
  const Request& request = line.request;
  const Receipt& receipt = line.receipt;
  if (receipt.request != line.name) {
    return apart("is for", receipt.request.text(), fmt::format("is {}", line.name.text()));
  }
  if (receipt.requester != line.requester) {
    return apart("names the key", receipt.requester.text(),
                 fmt::format("is signed by {}", line.requester.text()));
  }
  if (request.audience.kind == Audience::Kind::kNode && request.audience.node != node) {
    return failure(Errc::kConflict, fmt::format("the request was for node {}, the receipt is of {}",
                                                request.audience.node.text(), node.text()));
  }
  if (receipt.action != request.action) {
    return apart("says", to_string(receipt.action),
                 fmt::format("asks to {}", to_string(request.action)));
  }
  if (request.module != Hash() && receipt.module != request.module) {
    return apart("names module", receipt.module.text(),
                 fmt::format("names {}", request.module.text()));
  }
  if (receipt.function != request.function) {
    return apart("names function", fmt::format("\"{}\"", receipt.function),
                 fmt::format("names \"{}\"", request.function));
  }
  if (receipt.ended < receipt.began) {
    return failure(Errc::kConflict, "the receipt says that it ended before it began");
  }
  auto skew = static_cast<UnixMs>(std::chrono::milliseconds(kClockSkewMax).count());
  if (receipt.began + skew < request.made) {
    return failure(Errc::kConflict, "the receipt says that it began before the request was made");
  }
  return {};
}

Result<void> find_event(ProvenLine& line, BytesView events, const PublicKey& node) {
  std::optional<Event> found;
  TRY_VOID(read_export(events, node, [&](const Event& event) {
    if (event.sequence == line.receipt.event) found = event;
  }));
  if (!found) {
    return failure(Errc::kNotFound,
                   fmt::format("the exported events do not have event {}, which the receipt names",
                               line.receipt.event));
  }
  Event told = event_of(line.receipt);
  told.sequence = found->sequence;
  // The log says when it took note, and what it kept: a receipt does not.
  told.time = found->time;
  told.stored_bytes = found->stored_bytes;
  if (*found != told) {
    return failure(
        Errc::kConflict,
        fmt::format("event {} of the log does not say what the receipt says", found->sequence));
  }
  line.event = std::move(found);
  return {};
}

}  // namespace

Result<ProvenLine> verify_line(const Proof& proof, const PublicKey& node) {
  ProvenLine line;
  TRY(SignedView request, open(proof.request, ObjectKind::kRequest, "request"));
  TRY(line.request, read_request(request));
  line.requester = request.signer();
  line.name = request.hash();
  TRY(SignedView receipt, open(proof.receipt, ObjectKind::kReceipt, "receipt"));
  if (receipt.signer() != node) {
    return failure(Errc::kDenied, fmt::format("the receipt is signed by {}, not by the node {}",
                                              receipt.signer().text(), node.text()));
  }
  TRY(line.receipt, read_receipt(receipt));
  TRY_VOID(belongs(line, node));
  if (!proof.events.empty()) TRY_VOID(find_event(line, proof.events, node));
  return line;
}

}  // namespace weft::node::events
