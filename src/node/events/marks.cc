#include "node/events/marks.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "node/events/files.h"
#include "node/object/fields.h"

namespace weft::node::events {
namespace {

constexpr std::string_view kMagic = "weft mark 1\n";
constexpr std::size_t kMarkBytes = kMagic.size() + 8 + Hash::kBytes + Hash::kBytes;
static_assert(kMarkBytes <= kMarkSlotBytes);

Bytes mark_bytes(const Mark& mark) {
  Bytes out = to_bytes(kMagic);
  append_u64(out, mark.sequence);
  out.insert(out.end(), mark.chain.bytes.begin(), mark.chain.bytes.end());
  Hash sum = Hash::of(out);
  out.insert(out.end(), sum.bytes.begin(), sum.bytes.end());
  CHECK(out.size() == kMarkBytes);
  return out;
}

std::optional<Mark> read_mark(BytesView bytes) {
  if (bytes.size() < kMarkBytes) return std::nullopt;
  bytes = bytes.first(kMarkBytes);
  std::size_t body = kMarkBytes - Hash::kBytes;
  if (as_text(bytes).substr(0, kMagic.size()) != kMagic) return std::nullopt;
  if (Hash::of(bytes.first(body)) != Hash::from(bytes.subspan(body))) return std::nullopt;
  return Mark{.sequence = read_u64(bytes.subspan(kMagic.size(), 8)),
              .chain = Hash::from(bytes.subspan(kMagic.size() + 8, Hash::kBytes))};
}

}  // namespace

Result<FoundMark> read_durable(int file, const std::filesystem::path& path) {
  std::array<std::uint8_t, 2 * kMarkSlotBytes> bytes{};
  TRY(std::size_t got, read_at(file, bytes, 0, path));
  BytesView view(bytes.data(), got);
  auto a = read_mark(view);
  auto b = read_mark(view.subspan(std::min(got, kMarkSlotBytes)));
  if (!a && !b) return damage(path, 0, "neither of its two marks is whole");
  if (a && (!b || a->sequence >= b->sequence)) return FoundMark{*a, 0};
  return FoundMark{*b, 1};
}

Result<DurableMark> DurableMark::open(const std::filesystem::path& folder, const Mark& first) {
  DurableMark mark;
  mark.path_ = folder / kDurableName;
  auto file = open_file(mark.path_, O_RDWR);
  if (!file && file.error().code() == Errc::kNotFound) {
    TRY_VOID(replace_file(mark.path_, mark_bytes(first)));
    file = open_file(mark.path_, O_RDWR);
  }
  TRY(mark.file_, std::move(file));
  TRY(FoundMark found, read_durable(mark.file_.get(), mark.path_));
  mark.last_ = found.mark;
  mark.slot_ = found.slot;
  return mark;
}

Result<void> DurableMark::write(const Mark& mark) {
  std::size_t slot = 1 - slot_;
  TRY_VOID(write_at(file_.get(), mark_bytes(mark), slot * kMarkSlotBytes, path_));
  slot_ = slot;
  last_ = mark;
  flushed_ = false;
  return {};
}

Result<void> DurableMark::flush() {
  TRY_VOID(events::flush(file_.get(), path_));
  flushed_ = true;
  return {};
}

Result<std::optional<Mark>> read_anchor(const std::filesystem::path& folder) {
  std::filesystem::path path = folder / kAnchorName;
  auto file = open_file(path, O_RDONLY);
  if (!file && file.error().code() == Errc::kNotFound) return std::nullopt;
  if (!file) return std::unexpected(std::move(file).error());
  std::array<std::uint8_t, kMarkBytes + 1> bytes{};
  TRY(std::size_t got, read_at(file->get(), bytes, 0, path));
  auto mark = read_mark(BytesView(bytes.data(), got));
  if (!mark || got != kMarkBytes) return damage(path, 0, "it is not what was written");
  return mark;
}

Result<void> write_anchor(const std::filesystem::path& folder, const Mark& mark) {
  return replace_file(folder / kAnchorName, mark_bytes(mark));
}

}  // namespace weft::node::events
