#include "provider/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace weft::provider {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint8_t kMore = 1;

template <class T>
void put(std::uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}
template <class T>
T get(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

}  // namespace

void write_head(const FrameHead& head, std::uint8_t* to) {
  put(to, head.length);
  to[4] = static_cast<std::uint8_t>(head.kind);
  to[5] = head.more ? kMore : 0;
  put<std::uint16_t>(to + 6, 0);
  put(to + 8, head.id);
  put(to + 12, head.number);
  put(to + 16, head.amount);
}

Result<FrameHead> read_head(std::span<const std::uint8_t, kHeadSize> bytes) {
  const std::uint8_t* from = bytes.data();
  FrameHead head{.kind = static_cast<FrameKind>(from[4]),
                 .id = get<std::uint32_t>(from + 8),
                 .number = get<std::uint32_t>(from + 12),
                 .amount = get<std::uint64_t>(from + 16),
                 .more = from[5] == kMore,
                 .length = get<std::uint32_t>(from)};
  bool known = head.kind >= FrameKind::kHello && head.kind <= FrameKind::kPong;
  if (!known || from[5] > kMore || get<std::uint16_t>(from + 6) != 0) {
    return failure(Errc::kCorrupt, fmt::format("no frame has kind {}, flags {} and {} after them",
                                               from[4], from[5], get<std::uint16_t>(from + 6)));
  }
  if (head.length > kBodyMax) {
    return failure(Errc::kCorrupt, fmt::format("a frame of {} bytes, and no more than {} may be",
                                               head.length, kBodyMax));
  }
  if (head.more && (head.kind > FrameKind::kReply || head.length == 0)) {
    return failure(Errc::kCorrupt,
                   fmt::format("a frame of kind {} that goes on in the next", from[4]));
  }
  return head;
}

std::uint32_t wire_number(Errc code) {
  return static_cast<std::uint32_t>(code) + 1;
}
Errc code_of(std::uint32_t number) {
  if (number == 0 || number > wire_number(Errc::kInternal)) return Errc::kInternal;
  return static_cast<Errc>(number - 1);
}

FrameReader::FrameReader(FrameSink& sink)
    : sink_(sink), bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(kRoom)) {}

std::array<iovec, 2> FrameReader::room() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (kRoom - end_ < kHeadSize + kBodyMax) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, held());
    end_ = held();
    begin_ = 0;
  }
  std::array<iovec, 2> out{};
  if (target_ != nullptr) {
    CHECK(held() == 0);
    out[0] = {target_->reserve(left_), left_};
  }
  out[1] = {bytes_.get() + end_, kRoom - end_};
  return out;
}

Result<void> FrameReader::took(std::size_t count) {
  if (target_ != nullptr) {
    std::size_t direct = std::min(count, left_);
    target_->advance(direct);
    left_ -= direct;
    count -= direct;
  }
  end_ += count;
  CHECK(end_ <= kRoom);
  return parse();
}

Result<void> FrameReader::feed(BytesView bytes) {
  while (!bytes.empty() && !stopped_) {
    std::size_t count = 0;
    for (const iovec& part : room()) {
      std::size_t size = std::min(part.iov_len, bytes.size());
      if (size == 0) continue;
      std::memcpy(part.iov_base, bytes.data(), size);
      bytes = bytes.subspan(size);
      count += size;
    }
    TRY_VOID(took(count));
  }
  return {};
}

Result<void> FrameReader::parse() {
  while (!stopped_) {
    if (!in_body_) {
      if (held() < kHeadSize) return {};
      TRY(head_,
          read_head(std::span<const std::uint8_t, kHeadSize>(bytes_.get() + begin_, kHeadSize)));
      begin_ += kHeadSize;
      in_body_ = true;
      left_ = head_.length;
      TRY(target_, sink_.body_of(head_));
      if (target_ != nullptr && head_.more && target_->empty()) target_->reserve(kLargeRoom);
    }
    BytesView body;
    if (target_ != nullptr) {
      std::size_t count = std::min(held(), left_);
      target_->append({bytes_.get() + begin_, count});
      begin_ += count;
      left_ -= count;
      if (left_ > 0) return {};
    } else {
      if (held() < left_) return {};
      body = {bytes_.get() + begin_, left_};
      begin_ += left_;
    }
    target_ = nullptr;
    in_body_ = false;
    discarded_.clear();
    TRY_VOID(sink_.frame(head_, body));
  }
  return {};
}

void FrameReader::forget(const Buffer& buffer) {
  if (target_ == &buffer) target_ = &discarded_;
}

}  // namespace weft::provider
