#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "node/events/marks.h"
#include "node/events/segment.h"
#include "node/object/key.h"

namespace weft::node::events {

// Which frames of a segment have a hint in its index: the same for whoever writes it.
class IndexBuilder {
 public:
  // Of a segment that is continued behind `last_hint`.
  explicit IndexBuilder(std::uint64_t last_hint = kSegmentHeadBytes) : last_hint_(last_hint) {}

  // Appends what there is to say of the frame that begins there.
  void frame(Bytes& out, const IndexEntry& entry) {
    if (entry.offset < last_hint_ + kIndexStrideBytes) return;
    append_entry(out, entry);
    last_hint_ = entry.offset;
  }
  std::uint64_t last_hint() const { return last_hint_; }

 private:
  std::uint64_t last_hint_;
};

struct SegmentSize {
  std::uint64_t first = 0;
  std::uint64_t bytes = 0;
};

// What a folder was found to hold, after what was unfinished is gone.
struct Recovered {
  std::vector<SegmentSize> segments;  // In order; the last is appended to. None: a new folder.
  Mark last;                          // The last event of all, and the chain behind it.
  std::uint64_t last_hint = kSegmentHeadBytes;  // Of the last segment.
  std::uint64_t cut_bytes = 0;
};

// Checks every event of the folder, whose lock the caller has, and only then cuts off what was
// never told to be durable, mends the indexes and removes what retention had begun to remove. What
// it keeps is flushed. kCorrupt and kConflict as EventLog::open says: nothing was changed then.
Result<Recovered> recover(const std::filesystem::path& folder, const PublicKey& node);

}  // namespace weft::node::events
