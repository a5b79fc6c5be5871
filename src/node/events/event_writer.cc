#include "node/events/event_writer.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "node/events/files.h"

namespace weft::node::events {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLockName = "lock";

Result<void> make_folder(const fs::path& folder) {
  std::error_code code;
  fs::path parent = fs::absolute(folder, code).parent_path();
  if (!code) fs::create_directories(parent, code);
  if (code) {
    return failure(Errc::kIo,
                   fmt::format("making the folder {}: {}", parent.native(), code.message()));
  }
  if (::mkdir(folder.c_str(), 0700) == 0) return flush_folder(parent);
  if (errno == EEXIST) return {};
  return system_failure(fmt::format("making the folder {}", folder.native()), errno);
}

Result<Fd> lock_folder(const fs::path& folder) {
  fs::path path = folder / kLockName;
  TRY(Fd file, open_file(path, O_RDWR | O_CREAT));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return system_failure(fmt::format("locking {}", path.native()), errno);
  return failure(Errc::kConflict,
                 fmt::format("{} is held by another process: a node writes its events there "
                             "already; stop it, or give this one another folder",
                             path.native()));
}

}  // namespace

Result<std::unique_ptr<EventWriter>> EventWriter::open(const fs::path& folder,
                                                       const PublicKey& node,
                                                       const EventLogOptions& options) {
  TRY_VOID(make_folder(folder));
  std::unique_ptr<EventWriter> writer(new EventWriter(folder, node, options));
  TRY_VOID(writer->start());
  return writer;
}

Result<void> EventWriter::start() {
  TRY(lock_, lock_folder(folder_));
  TRY(Recovered found, recover(folder_, node_));
  segments_ = std::move(found.segments);
  last_ = found.last;
  cut_bytes_ = found.cut_bytes;
  TRY(durable_, DurableMark::open(folder_, {0, first_chain(node_)}));
  if (segments_.empty()) {
    TRY_VOID(begin_segment());
  } else {
    hints_ = IndexBuilder(found.last_hint);
    TRY_VOID(open_last());
  }
  if (durable_.last() != last_) TRY_VOID(durable_.write(last_));
  TRY_VOID(durable_.flush());
  return retain();
}

Result<void> EventWriter::open_last() {
  path_ = folder_ / segment_name(segments_.back().first);
  fs::path index = folder_ / index_name(segments_.back().first);
  TRY(file_, open_file(path_, O_WRONLY));
  TRY(index_, open_file(index, O_WRONLY | O_CREAT));
  struct stat info{};
  if (::fstat(index_.get(), &info) != 0) {
    return system_failure(fmt::format("looking at {}", index.native()), errno);
  }
  index_bytes_ = static_cast<std::uint64_t>(info.st_size);
  return {};
}

Result<void> EventWriter::begin_segment() {
  SegmentHead head{.node = node_, .first = last_.sequence + 1, .chain = last_.chain};
  // An index that a segment of this name had once would be as good as none.
  TRY_VOID(remove_file(folder_ / index_name(head.first)));
  TRY_VOID(replace_file(folder_ / segment_name(head.first), head_bytes(head)));
  segments_.push_back({head.first, kSegmentHeadBytes});
  hints_ = IndexBuilder();
  return open_last();
}

Result<void> EventWriter::write(std::span<std::uint8_t> frames) {
  std::size_t begin = 0, at = 0;
  while (at < frames.size()) {
    std::uint64_t offset = segments_.back().bytes + (at - begin);
    if (offset >= options_.segment_bytes && offset > kSegmentHeadBytes) {
      TRY_VOID(put(frames.subspan(begin, at - begin)));
      TRY_VOID(begin_segment());
      begin = at;
      continue;
    }
    std::uint32_t length = 0;
    std::memcpy(&length, frames.data() + at, sizeof length);
    CHECK(at + kFrameLengthBytes + length + Hash::kBytes <= frames.size());
    auto record = frames.subspan(at + kFrameLengthBytes, length);
    hints_.frame(entries_, {last_.sequence + 1, offset, last_.chain});
    last_.chain = chain_behind(hasher_, last_.chain, record);
    ++last_.sequence;
    at += kFrameLengthBytes + length;
    std::ranges::copy(last_.chain.bytes, frames.begin() + static_cast<std::ptrdiff_t>(at));
    at += Hash::kBytes;
  }
  TRY_VOID(put(frames.subspan(begin)));
  TRY_VOID(durable_.write(last_));
  return retain();
}

Result<void> EventWriter::put(BytesView frames) {
  if (frames.empty()) return {};
  TRY_VOID(write_at(file_.get(), frames, segments_.back().bytes, path_));
  TRY_VOID(flush(file_.get(), path_));
  segments_.back().bytes += frames.size();
  if (entries_.empty()) return {};
  // Hints: what is not whole or not there at the next start is written anew.
  TRY_VOID(
      write_at(index_.get(), entries_, index_bytes_, folder_ / index_name(segments_.back().first)));
  index_bytes_ += entries_.size();
  entries_.clear();
  return {};
}

Result<void> EventWriter::retain() {
  if (options_.retain_bytes == 0) return {};
  std::uint64_t total = 0;
  for (const SegmentSize& segment : segments_) total += segment.bytes;
  std::size_t count = 0;
  for (; count + 1 < segments_.size() && total > options_.retain_bytes; ++count) {
    total -= segments_[count].bytes;
  }
  if (count == 0) return {};
  // What is removed is what the head of the first that stays continues.
  TRY(SegmentCursor first, SegmentCursor::open(folder_, segments_[count].first));
  TRY_VOID(write_anchor(folder_, {first.head().first - 1, first.head().chain}));
  for (std::size_t i = 0; i < count; ++i) {
    TRY_VOID(remove_file(folder_ / index_name(segments_[i].first)));
    TRY_VOID(remove_file(folder_ / segment_name(segments_[i].first)));
  }
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
  return {};
}

}  // namespace weft::node::events
