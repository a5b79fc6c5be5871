#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/events/event.h"
#include "node/events/segment.h"
#include "node/object/hash.h"

namespace weft::node::events {

// Reads a folder of events in order, checking the chain. Used by one thread at a time; changes no
// file and takes no lock: the daemon may write meanwhile, or not run at all.
//
// What is marked durable is read, nothing else: an event that was read is never taken back.
class EventReader {
 public:
  // From event `from` on; 0: from the oldest there is. `from` may be one that is still to come.
  // kNotFound where it was removed already, with the number of the oldest, or where there is no
  // log in the folder.
  static Result<EventReader> open(std::filesystem::path folder, std::uint64_t from = 0);

  // The next one, or nullopt where there is none that is durable yet: ask again when told of one.
  // kCorrupt where the files are damaged; kNotFound where it was removed before it was read.
  Result<std::optional<Event>> next();

  // The number of the event that `next` gives next.
  std::uint64_t position() const { return next_; }
  // The chain behind the event before that. Means nothing where `from` was still to come and no
  // event was read yet.
  const Hash& chain() const { return cursor_.chain(); }
  // The bytes of the event that was read last, until the next call.
  BytesView record() const { return cursor_.record(); }
  // The newest event that was durable when `next` last looked.
  std::uint64_t durable() const { return durable_; }
  const PublicKey& node() const { return node_; }

 private:
  EventReader(std::filesystem::path folder, std::uint64_t from)
      : folder_(std::move(folder)), next_(from) {}
  Result<void> find_oldest();
  Result<SegmentCursor> open_segment_of_next();
  Result<void> find();
  Result<void> next_segment();
  std::unexpected<Error> removed(std::uint64_t oldest) const;
  std::unexpected<Error> broken() const;
  Result<bool> is_durable(std::uint64_t sequence);

  std::filesystem::path folder_;
  Fd durable_file_;
  std::uint64_t durable_ = 0;
  std::uint64_t next_;
  PublicKey node_ = {};
  SegmentCursor cursor_;
  bool placed_ = false;
};

}  // namespace weft::node::events
