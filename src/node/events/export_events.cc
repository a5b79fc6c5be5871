#include "node/events/export_events.h"

#include <fmt/core.h>

#include <algorithm>

#include "node/events/event_reader.h"
#include "node/events/segment.h"

namespace weft::node::events {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

void append_raw(Bytes& out, BytesView record, const Hash& chain) {
  auto length = static_cast<std::uint32_t>(record.size());
  auto* bytes = reinterpret_cast<const std::uint8_t*>(&length);
  out.insert(out.end(), bytes, bytes + sizeof length);
  out.insert(out.end(), record.begin(), record.end());
  out.insert(out.end(), chain.bytes.begin(), chain.bytes.end());
}

}  // namespace

Result<void> export_events(const std::filesystem::path& folder, std::uint64_t first,
                           std::uint64_t last,
                           const std::function<Result<void>(BytesView)>& write) {
  TRY(EventReader reader, EventReader::open(folder, first));
  if (last == 0) last = reader.durable();
  if (reader.position() > std::min(last, reader.durable())) {
    return failure(Errc::kNotFound,
                   fmt::format("there are no events from {} to {}: the newest is {}",
                               reader.position(), last, reader.durable()));
  }
  Bytes out = head_bytes({reader.node(), reader.position(), reader.chain()});
  while (reader.position() <= last) {
    TRY(auto event, reader.next());
    if (!event) break;
    append_raw(out, reader.record(), reader.chain());
    if (out.size() < kPieceBytes) continue;
    TRY_VOID(write(out));
    out.clear();
  }
  return write(out);
}

Result<void> read_export(BytesView bytes, const PublicKey& node,
                         const std::function<void(const Event&)>& each) {
  if (bytes.size() < kSegmentHeadBytes) {
    return failure(Errc::kInvalid, "the exported events end within their head");
  }
  TRY(SegmentHead head, read_head(bytes.first(kSegmentHeadBytes)));
  if (head.node != node) {
    return failure(Errc::kConflict, fmt::format("the exported events are of node {}, not of {}",
                                                head.node.text(), node.text()));
  }
  if (head.first == 1 && head.chain != first_chain(node)) {
    return failure(Errc::kCorrupt, "the exported events do not begin as a log begins");
  }
  Hasher hasher;
  Hash chain = head.chain;
  std::uint64_t sequence = head.first;
  for (std::size_t at = kSegmentHeadBytes; at < bytes.size(); ++sequence) {
    auto frame = read_frame(bytes.subspan(at), hasher, sequence, chain);
    if (!frame) {
      return failure(Errc::kCorrupt,
                     fmt::format("the exported events, at byte {}: event {} is not what was "
                                 "written",
                                 at, sequence));
    }
    at += frame->bytes();
    chain = frame->chain;
    each(frame->event);
  }
  return {};
}

}  // namespace weft::node::events
