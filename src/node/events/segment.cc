#include "node/events/segment.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "node/events/files.h"
#include "node/object/fields.h"

namespace weft::node::events {
namespace {

constexpr std::string_view kSegmentSuffix = ".events";
constexpr std::string_view kIndexSuffix = ".index";
constexpr std::size_t kNumberDigits = 20;
constexpr std::size_t kReadBytes = 256 * 1024;

void append(Bytes& out, BytesView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint32_t read_length(BytesView bytes) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length;
}

}  // namespace

Hash first_chain(const PublicKey& node) {
  Hasher hasher;
  hasher.add(as_bytes("weft node events 1\n"));
  hasher.add(node.view());
  return hasher.finish();
}

Bytes head_bytes(const SegmentHead& head) {
  Bytes out = to_bytes(kSegmentMagic);
  append(out, head.node.view());
  append_u64(out, head.first);
  append(out, head.chain.view());
  append(out, Hash::of(out).view());
  CHECK(out.size() == kSegmentHeadBytes);
  return out;
}

Result<SegmentHead> read_head(BytesView bytes) {
  CHECK(bytes.size() == kSegmentHeadBytes);
  std::size_t body = kSegmentHeadBytes - Hash::kBytes;
  if (as_text(bytes).substr(0, kSegmentMagic.size()) != kSegmentMagic) {
    return failure(Errc::kInvalid, "this is no log of events");
  }
  if (Hash::of(bytes.first(body)) != Hash::from(bytes.subspan(body))) {
    return failure(Errc::kInvalid, "the head is not what was written");
  }
  BytesView rest = bytes.subspan(kSegmentMagic.size());
  SegmentHead head;
  head.node = PublicKey::from(rest.first(PublicKey::kBytes));
  rest = rest.subspan(PublicKey::kBytes);
  head.first = read_u64(rest.first(8));
  head.chain = Hash::from(rest.subspan(8, Hash::kBytes));
  return head;
}

std::string segment_name(std::uint64_t first) {
  return fmt::format("{:020}{}", first, kSegmentSuffix);
}
std::string index_name(std::uint64_t first) {
  return fmt::format("{:020}{}", first, kIndexSuffix);
}

Result<std::vector<std::uint64_t>> segments_in(const std::filesystem::path& folder) {
  std::vector<std::uint64_t> firsts;
  std::error_code code;
  std::filesystem::directory_iterator entries(folder, code);
  for (; !code && entries != std::filesystem::directory_iterator(); entries.increment(code)) {
    std::string name = entries->path().filename();
    std::uint64_t first = 0;
    if (name.size() != kNumberDigits + kSegmentSuffix.size()) continue;
    auto read = std::from_chars(name.data(), name.data() + kNumberDigits, first);
    if (read.ec == std::errc() && segment_name(first) == name) firsts.push_back(first);
  }
  if (code) {
    return failure(code == std::errc::no_such_file_or_directory ? Errc::kNotFound : Errc::kIo,
                   fmt::format("reading the folder {}: {}", folder.native(), code.message()));
  }
  std::ranges::sort(firsts);
  return firsts;
}

Hash chain_behind(Hasher& hasher, const Hash& before, BytesView record) {
  hasher.add(before.view());
  hasher.add(record);
  return hasher.finish();
}

std::optional<Frame> read_frame(BytesView bytes, Hasher& hasher, std::uint64_t sequence,
                                const Hash& before) {
  if (bytes.size() < kFrameLengthBytes) return std::nullopt;
  std::size_t length = read_length(bytes);
  if (length < kEventBytesMin || length > kEventBytesMax) return std::nullopt;
  bytes = bytes.subspan(kFrameLengthBytes);
  if (bytes.size() < length + Hash::kBytes) return std::nullopt;
  Frame frame;
  frame.record = bytes.first(length);
  frame.chain = chain_behind(hasher, before, frame.record);
  if (frame.chain != Hash::from(bytes.subspan(length, Hash::kBytes))) return std::nullopt;
  auto event = read_event(frame.record);
  if (!event || event->sequence != sequence) return std::nullopt;
  frame.event = *std::move(event);
  return frame;
}

void append_frame(Bytes& out, const Event& event) {
  std::size_t begin = out.size();
  out.resize(begin + kFrameLengthBytes);
  append_event(out, event);
  auto length = static_cast<std::uint32_t>(out.size() - begin - kFrameLengthBytes);
  CHECK(length >= kEventBytesMin && length <= kEventBytesMax);
  std::memcpy(out.data() + begin, &length, sizeof length);
  out.resize(out.size() + Hash::kBytes);
}

void append_entry(Bytes& out, const IndexEntry& entry) {
  append_u64(out, entry.sequence);
  append_u64(out, entry.offset);
  append(out, entry.chain.view());
}

Result<SegmentCursor> SegmentCursor::open(const std::filesystem::path& folder,
                                          std::uint64_t first) {
  SegmentCursor cursor;
  cursor.path_ = folder / segment_name(first);
  TRY(cursor.file_, open_file(cursor.path_, O_RDONLY));
  Bytes bytes(kSegmentHeadBytes);
  TRY(std::size_t got, read_at(cursor.file_.get(), bytes, 0, cursor.path_));
  if (got < bytes.size()) return damage(cursor.path_, got, "the file ends within its head");
  auto head = read_head(bytes);
  if (!head) return damage(cursor.path_, 0, head.error().message());
  if (head->first != first) {
    return damage(cursor.path_, 0,
                  fmt::format("it begins with event {}, its name says {}", head->first, first));
  }
  cursor.head_ = *head;
  cursor.sequence_ = first;
  cursor.chain_ = head->chain;
  cursor.offset_ = kSegmentHeadBytes;
  cursor.hasher_ = std::make_unique<Hasher>();
  return cursor;
}

Result<std::uint64_t> SegmentCursor::size() const {
  struct stat info{};
  if (::fstat(file_.get(), &info) == 0) return static_cast<std::uint64_t>(info.st_size);
  return system_failure(fmt::format("looking at {}", path_.native()), errno);
}

Result<void> SegmentCursor::fill() {
  buffer_.resize(kReadBytes);
  buffer_offset_ = offset_;
  buffer_size_ = 0;
  TRY(buffer_size_, read_at(file_.get(), buffer_, offset_, path_));
  fresh_ = true;
  return {};
}

// What is at hand from the offset on.
Result<BytesView> SegmentCursor::look() {
  fresh_ = false;
  std::uint64_t end = buffer_offset_ + buffer_size_;
  if (offset_ < buffer_offset_ || offset_ + kFrameBytesMax > end) TRY_VOID(fill());
  return BytesView(buffer_).first(buffer_size_).subspan(offset_ - buffer_offset_);
}

SegmentCursor::Step SegmentCursor::step(BytesView bytes) {
  if (bytes.empty()) return Step::kEnd;
  auto frame = read_frame(bytes, *hasher_, sequence_, chain_);
  if (!frame) return Step::kBroken;
  record_ = frame->record;
  event_ = std::move(frame->event);
  chain_ = frame->chain;
  offset_ += frame->bytes();
  ++sequence_;
  return Step::kRecord;
}

Result<SegmentCursor::Step> SegmentCursor::next() {
  TRY(BytesView bytes, look());
  Step taken = step(bytes);
  // What was read ahead may have been half written then.
  if (taken == Step::kBroken && !fresh_) {
    TRY_VOID(fill());
    taken = step(BytesView(buffer_).first(buffer_size_));
  }
  if (taken != Step::kRecord) buffer_size_ = 0;
  return taken;
}

Result<void> SegmentCursor::seek(std::uint64_t sequence) {
  std::filesystem::path path = path_.parent_path() / index_name(head_.first);
  auto file = open_file(path, O_RDONLY);
  if (!file) return {};
  struct stat info{};
  if (::fstat(file->get(), &info) != 0) return {};
  std::uint64_t low = 0, high = static_cast<std::uint64_t>(info.st_size) / kIndexEntryBytes;
  std::optional<IndexEntry> best;
  while (low < high) {
    std::uint64_t middle = low + (high - low) / 2;
    std::array<std::uint8_t, kIndexEntryBytes> bytes{};
    auto got = read_at(file->get(), bytes, middle * kIndexEntryBytes, path);
    if (!got || *got != bytes.size()) return {};
    BytesView view(bytes);
    IndexEntry entry{.sequence = read_u64(view.first(8)),
                     .offset = read_u64(view.subspan(8, 8)),
                     .chain = Hash::from(view.subspan(16))};
    if (entry.sequence <= sequence) {
      best = entry;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (!best || best->sequence <= sequence_) return {};
  // A hint: it holds where the frame that it says is there is in the chain that it says.
  Bytes bytes(kFrameBytesMax);
  TRY(std::size_t got, read_at(file_.get(), bytes, best->offset, path_));
  bytes.resize(got);
  if (!read_frame(bytes, *hasher_, best->sequence, best->chain)) return {};
  sequence_ = best->sequence;
  offset_ = best->offset;
  chain_ = best->chain;
  return {};
}

}  // namespace weft::node::events
