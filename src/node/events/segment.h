#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/events/event.h"
#include "node/object/hash.h"
#include "node/object/key.h"

namespace weft::node::events {

// What a segment begins with: whose it is, its first event, and the chain before that.
struct SegmentHead {
  PublicKey node = {};
  std::uint64_t first = 0;
  Hash chain = {};
  friend bool operator==(const SegmentHead&, const SegmentHead&) = default;
};

inline constexpr std::string_view kSegmentMagic = "weft events 1\n";
inline constexpr std::size_t kSegmentHeadBytes =
    kSegmentMagic.size() + PublicKey::kBytes + 8 + Hash::kBytes + Hash::kBytes;
inline constexpr std::size_t kFrameLengthBytes = 4;
inline constexpr std::size_t kFrameBytesMax = kFrameLengthBytes + kEventBytesMax + Hash::kBytes;
// A segment has a hint in its index each time that it has grown by so much.
inline constexpr std::uint64_t kIndexStrideBytes = 256 * 1024;
inline constexpr std::size_t kIndexEntryBytes = 8 + 8 + 32;

// The chain behind no event of this node.
Hash first_chain(const PublicKey& node);

Bytes head_bytes(const SegmentHead& head);
// `bytes` has kSegmentHeadBytes. kInvalid where they are no head, or one that was damaged.
Result<SegmentHead> read_head(BytesView bytes);

// The files of a segment.
std::string segment_name(std::uint64_t first);
std::string index_name(std::uint64_t first);
// The first events of the segments that are in the folder, in order.
Result<std::vector<std::uint64_t>> segments_in(const std::filesystem::path& folder);

// The chain behind an event.
Hash chain_behind(Hasher& hasher, const Hash& before, BytesView record);

// A frame that was read. Borrows.
struct Frame {
  BytesView record;
  Event event;
  Hash chain;  // Behind it.
  std::size_t bytes() const { return kFrameLengthBytes + record.size() + Hash::kBytes; }
};

// The frame at the beginning of `bytes`: nullopt where there is none whole, with the event of that
// number, in the chain.
std::optional<Frame> read_frame(BytesView bytes, Hasher& hasher, std::uint64_t sequence,
                                const Hash& before);
// Appends a frame whose chain is not filled in; its record is behind kFrameLengthBytes.
void append_frame(Bytes& out, const Event& event);

// One hint of an index.
struct IndexEntry {
  std::uint64_t sequence = 0;
  std::uint64_t offset = 0;
  Hash chain = {};  // Before it.
};
void append_entry(Bytes& out, const IndexEntry& entry);

// Goes through the frames of one segment. Used by one thread at a time.
class SegmentCursor {
 public:
  SegmentCursor() = default;

  // kNotFound where there is no such segment; kCorrupt where its head is damaged.
  static Result<SegmentCursor> open(const std::filesystem::path& folder, std::uint64_t first);

  // What is next in the file.
  enum class Step : std::uint8_t {
    kRecord,  // `record` is it, and in the chain.
    kEnd,     // The file ends here, behind a whole frame.
    kBroken,  // Something else than a frame that is whole, in order and in the chain.
  };
  // kIo where the file cannot be read. After kEnd and kBroken it may be asked again.
  Result<Step> next();

  // Goes as near before `sequence` as the index says, if what it says is true of the file.
  Result<void> seek(std::uint64_t sequence);

  const SegmentHead& head() const { return head_; }
  // Of the record that was read last: until the next call.
  BytesView record() const { return record_; }
  // It, which may be moved from.
  Event& event() { return event_; }
  // The number of the event that is next, where it begins, and the chain before it.
  std::uint64_t sequence() const { return sequence_; }
  std::uint64_t offset() const { return offset_; }
  const Hash& chain() const { return chain_; }
  Result<std::uint64_t> size() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  Result<BytesView> look();
  Result<void> fill();
  Step step(BytesView bytes);

  std::filesystem::path path_;
  Fd file_;
  std::unique_ptr<Hasher> hasher_;
  SegmentHead head_;
  std::uint64_t sequence_ = 0;
  std::uint64_t offset_ = 0;
  Hash chain_ = {};
  BytesView record_;
  Event event_;
  Bytes buffer_;
  std::uint64_t buffer_offset_ = 0;
  std::size_t buffer_size_ = 0;  // Of it, read.
  bool fresh_ = false;           // Nothing of the buffer was there before the last call.
};

}  // namespace weft::node::events
