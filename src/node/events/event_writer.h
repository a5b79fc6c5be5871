#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/events/event_log.h"
#include "node/events/marks.h"
#include "node/events/recovery.h"
#include "node/events/segment.h"

namespace weft::node::events {

// What puts frames on disk: chains, segments, retention. Owned by the log and used by its thread
// alone. After a call that failed it is not asked again.
class EventWriter {
 public:
  static Result<std::unique_ptr<EventWriter>> open(const std::filesystem::path& folder,
                                                   const PublicKey& node,
                                                   const EventLogOptions& options);

  // Fills in the chains of these frames, and returns when they are durable and marked so.
  Result<void> write(std::span<std::uint8_t> frames);
  Result<void> flush_mark() { return durable_.flush(); }

  bool mark_is_flushed() const { return durable_.is_flushed(); }
  const Mark& last() const { return last_; }
  std::uint64_t cut_bytes() const { return cut_bytes_; }

 private:
  EventWriter(std::filesystem::path folder, const PublicKey& node, EventLogOptions options)
      : folder_(std::move(folder)), node_(node), options_(options) {}

  Result<void> start();
  Result<void> open_last();
  // Writes what has its chains and flushes it.
  Result<void> put(BytesView frames);
  Result<void> begin_segment();
  Result<void> retain();

  const std::filesystem::path folder_;
  const PublicKey node_;
  const EventLogOptions options_;
  Fd lock_;
  DurableMark durable_;
  Mark last_;
  std::uint64_t cut_bytes_ = 0;

  std::vector<SegmentSize> segments_;  // The last is the one that is open, as it is on disk.
  std::filesystem::path path_;
  Fd file_;
  Fd index_;
  std::uint64_t index_bytes_ = 0;
  IndexBuilder hints_;
  Bytes entries_;  // Of the index, not written yet.
  Hasher hasher_;
};

}  // namespace weft::node::events
