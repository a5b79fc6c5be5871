// Whatever bytes as a record, as a frame and as an export, and as changes to a record that is good:
// what is read is written the same again, a chain holds for nothing but what it was made of, and
// nothing is read beyond the bytes.
#include <algorithm>

#include "base/check.h"
#include "node/events/event.h"
#include "node/events/export_events.h"
#include "node/events/segment.h"

namespace {

using namespace weft;
using namespace weft::node;
using namespace weft::node::events;

void take_record(BytesView bytes) {
  auto event = read_event(bytes);
  if (!event) return;
  Bytes again;
  append_event(again, *event);
  CHECK(std::ranges::equal(again, bytes));
  CHECK(again.size() >= kEventBytesMin && again.size() <= kEventBytesMax);
  Hasher hasher;
  Hash before = Hash::of(bytes);
  Bytes frame;
  append_frame(frame, *event);
  Hash chain = chain_behind(hasher, before, bytes);
  std::ranges::copy(chain.bytes, frame.end() - Hash::kBytes);
  auto read = read_frame(frame, hasher, event->sequence, before);
  CHECK(read && read->event == *event && read->chain == chain);
  CHECK(!read_frame(frame, hasher, event->sequence + 1, before));
  CHECK(!read_frame(frame, hasher, event->sequence, chain));
  CHECK(!read_frame(BytesView(frame).first(frame.size() - 1), hasher, event->sequence, before));
}

// A good record with bytes of it changed, three bytes of input a change.
Bytes changed_record(BytesView changes) {
  Event event{.sequence = 1, .group = "group", .function = "demo:math/add@1.0.0#sum"};
  Bytes record;
  append_event(record, event);
  for (; changes.size() >= 3; changes = changes.subspan(3)) {
    std::size_t at = (changes[0] | std::size_t{changes[1]} << 8) % record.size();
    record[at] = changes[2];
  }
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  BytesView bytes(data, size);
  take_record(bytes);
  take_record(changed_record(bytes));
  Hasher hasher;
  auto frame = read_frame(bytes, hasher, 1, Hash());
  CHECK(!frame || frame->bytes() <= size);
  auto exported = read_export(bytes, PublicKey(), [](const Event&) {});
  return 0;
}
