#include "node/events/recovery.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/read_file.h"
#include "node/events/files.h"

namespace weft::node::events {
namespace {

namespace fs = std::filesystem;

class Recovery {
 public:
  Recovery(const fs::path& folder, const PublicKey& node) : folder_(folder), node_(node) {}

  Result<Recovered> run() {
    TRY(auto firsts, segments_in(folder_));
    TRY(auto anchor, read_anchor(folder_));
    TRY_VOID(find_durable(!firsts.empty() || anchor));
    found_.last = anchor.value_or(Mark{0, first_chain(node_)});
    for (std::uint64_t first : firsts) {
      if (anchor && first <= anchor->sequence) {
        removed_.push_back(first);
      } else {
        kept_.push_back(first);
      }
    }
    if (kept_.empty() && (durable_.sequence > 0 || anchor)) {
      return damage(
          folder_ / segment_name(found_.last.sequence + 1), 0,
          fmt::format("the file is missing, and event {} was in it", found_.last.sequence + 1));
    }
    for (std::uint64_t first : kept_) TRY_VOID(check(first));
    if (found_.last.sequence < durable_.sequence) {
      return damage(
          folder_ / segment_name(kept_.back()), found_.segments.back().bytes,
          fmt::format("the events behind it are missing, up to {}, which was written here "
                      "or in a file of its own",
                      durable_.sequence));
    }
    TRY_VOID(mend());
    return std::move(found_);
  }

 private:
  // What the folder says is durable; nothing where it is new.
  Result<void> find_durable(bool has_events) {
    fs::path path = folder_ / kDurableName;
    auto file = open_file(path, O_RDONLY);
    if (!file && file.error().code() == Errc::kNotFound) {
      if (has_events) return damage(path, 0, "the file is missing, and there are events");
      durable_ = {0, first_chain(node_)};
      return {};
    }
    if (!file) return std::unexpected(std::move(file).error());
    TRY(FoundMark found, read_durable(file->get(), path));
    durable_ = found.mark;
    if (durable_.sequence == 0 && durable_.chain != first_chain(node_)) return others(path);
    return {};
  }

  std::unexpected<Error> others(const fs::path& path) const {
    return failure(Errc::kConflict,
                   fmt::format("{} is of another node than {}: give this node a folder of its own",
                               path.native(), node_.text()));
  }

  Result<void> check(std::uint64_t first) {
    TRY(SegmentCursor cursor, SegmentCursor::open(folder_, first));
    if (cursor.head().node != node_) return others(cursor.path());
    if (first != found_.last.sequence + 1) {
      return damage(folder_ / segment_name(found_.last.sequence + 1), 0,
                    fmt::format("the file is missing: event {} has to come next, and {} begins "
                                "with event {}",
                                found_.last.sequence + 1, cursor.path().native(), first));
    }
    if (cursor.head().chain != found_.last.chain) {
      return damage(cursor.path(), 0, "it does not continue the events before it");
    }
    TRY_VOID(check_frames(cursor));
    found_.segments.push_back({first, cursor.offset()});
    return {};
  }

  Result<void> check_frames(SegmentCursor& cursor) {
    IndexBuilder index;
    Bytes hints;
    for (;;) {
      IndexEntry entry{cursor.sequence(), cursor.offset(), cursor.chain()};
      TRY(auto step, cursor.next());
      if (step == SegmentCursor::Step::kEnd) break;
      if (step == SegmentCursor::Step::kBroken) {
        TRY(bool torn, is_torn_tail(cursor));
        if (!torn) {
          return damage(cursor.path(), cursor.offset(),
                        fmt::format("event {} is not what was written", cursor.sequence()));
        }
        TRY(std::uint64_t size, cursor.size());
        found_.cut_bytes = size - cursor.offset();
        break;
      }
      index.frame(hints, entry);
      if (entry.sequence == durable_.sequence && cursor.chain() != durable_.chain) {
        return damage(cursor.path(), entry.offset,
                      fmt::format("event {} is not the one that was written", entry.sequence));
      }
    }
    if (cursor.sequence() > cursor.head().first) {
      found_.last = {cursor.sequence() - 1, cursor.chain()};
    }
    found_.last_hint = index.last_hint();
    hints_.push_back(std::move(hints));
    return {};
  }

  // Whether nobody was told of what begins where the cursor is.
  Result<bool> is_torn_tail(const SegmentCursor& cursor) const {
    return cursor.head().first == kept_.back() && cursor.sequence() > durable_.sequence;
  }

  // Everything was found good.
  Result<void> mend() {
    for (std::uint64_t first : removed_) {
      TRY_VOID(remove_file(folder_ / index_name(first)));
      TRY_VOID(remove_file(folder_ / segment_name(first)));
    }
    for (std::size_t i = 0; i < kept_.size(); ++i) TRY_VOID(mend_index(kept_[i], hints_[i]));
    if (kept_.empty()) return {};
    const fs::path path = folder_ / segment_name(kept_.back());
    TRY(Fd file, open_file(path, O_RDWR));
    if (found_.cut_bytes > 0 &&
        ::ftruncate(file.get(), static_cast<off_t>(found_.segments.back().bytes)) != 0) {
      return system_failure(fmt::format("cutting off the end of {}", path.native()), errno);
    }
    return flush(file.get(), path);
  }

  Result<void> mend_index(std::uint64_t first, const Bytes& hints) const {
    const fs::path path = folder_ / index_name(first);
    auto now = read_file(path.native(), hints.size());
    if (now ? as_bytes(*now).size() == hints.size() && std::ranges::equal(as_bytes(*now), hints)
            : hints.empty() && now.error().code() == Errc::kNotFound) {
      return {};
    }
    TRY(Fd file, open_file(path, O_WRONLY | O_CREAT | O_TRUNC));
    return write_at(file.get(), hints, 0, path);
  }

  const fs::path& folder_;
  const PublicKey& node_;
  Mark durable_;
  std::vector<std::uint64_t> removed_;
  std::vector<std::uint64_t> kept_;
  std::vector<Bytes> hints_;  // Of those that are kept.
  Recovered found_;
};

}  // namespace

Result<Recovered> recover(const fs::path& folder, const PublicKey& node) {
  return Recovery(folder, node).run();
}

}  // namespace weft::node::events
