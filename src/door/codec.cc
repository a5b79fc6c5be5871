#include "door/codec.h"

#include <fmt/format.h>

namespace weft {
namespace {

// The length of the UTF-8 sequence at `at`, or 0 when there is none.
std::size_t sequence_length(const std::uint8_t* at, const std::uint8_t* end) {
  std::uint8_t lead = *at;
  if (lead < 0x80) return 1;
  // The range of the second byte tells overlong forms, surrogates and numbers too great apart.
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (static_cast<std::size_t>(end - at) < length || at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* end = at + text.size();
  while (at != end) {
    while (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof(word));
      if ((word & 0x8080'8080'8080'8080) != 0) break;
      at += 8;
    }
    if (at == end) break;
    std::size_t length = sequence_length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void Writer::character(char32_t value) {
  auto code = static_cast<std::uint32_t>(value);
  if (code < 0x80) {
    byte(static_cast<std::uint8_t>(code));
  } else if (code < 0x800) {
    byte(static_cast<std::uint8_t>(0xc0 | code >> 6));
    byte(static_cast<std::uint8_t>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000 && (code < 0xd800 || code > 0xdfff)) {
    byte(static_cast<std::uint8_t>(0xe0 | code >> 12));
    byte(static_cast<std::uint8_t>(0x80 | (code >> 6 & 0x3f)));
    byte(static_cast<std::uint8_t>(0x80 | (code & 0x3f)));
  } else if (code >= 0x10000 && code < 0x110000) {
    byte(static_cast<std::uint8_t>(0xf0 | code >> 18));
    byte(static_cast<std::uint8_t>(0x80 | (code >> 12 & 0x3f)));
    byte(static_cast<std::uint8_t>(0x80 | (code >> 6 & 0x3f)));
    byte(static_cast<std::uint8_t>(0x80 | (code & 0x3f)));
  } else {
    fail(Error(Errc::kInvalid, fmt::format("U+{:04X} is no character", code)));
  }
}

void Writer::own(ResourceKind kind, std::unique_ptr<Resource> resource) {
  if (resource == nullptr) return fail(Error(Errc::kInternal, "no resource where one is promised"));
  if (resources_ == nullptr) return fail(Error(Errc::kUnsupported, "no handle can cross here"));
  Result<std::uint32_t> number = resources_->push(kind, std::move(resource));
  if (!number) return fail(std::move(number).error());
  unsigned_leb(*number);
}

void Writer::pipe(PipeTable::End end) {
  bool there = std::visit([](auto& each) { return static_cast<bool>(each); }, end);
  if (!there) return fail(Error(Errc::kInternal, "no stream where one is promised"));
  PipeTable* pipes = resources_ == nullptr ? nullptr : resources_->pipes();
  if (pipes == nullptr)
    return fail(Error(Errc::kUnsupported, "no stream or future can cross here"));
  Result<std::uint32_t> number = pipes->push(std::move(end));
  if (!number) return fail(std::move(number).error());
  unsigned_leb(*number);
}

namespace {

PipeTable* pipes_of(Reader& in) {
  PipeTable* pipes = in.resources() == nullptr ? nullptr : in.resources()->pipes();
  if (pipes == nullptr) in.fail("no stream or future can cross here");
  return in.failed() ? nullptr : pipes;
}

}  // namespace

PipeReader Reader::pipe_reader(PipeKind kind) {
  auto number = static_cast<std::uint32_t>(unsigned_leb(32));
  PipeTable* pipes = pipes_of(*this);
  if (pipes == nullptr) return {};
  Result<PipeReader> end = pipes->take_reader(number, kind);
  if (end) return *std::move(end);
  fail(end.error().message());
  return {};
}

PipeWriter Reader::pipe_writer(PipeKind kind) {
  auto number = static_cast<std::uint32_t>(unsigned_leb(32));
  PipeTable* pipes = pipes_of(*this);
  if (pipes == nullptr) return {};
  Result<PipeWriter> end = pipes->take_writer(number, kind);
  if (end) return *std::move(end);
  fail(end.error().message());
  return {};
}

void Reader::fail(std::string_view what) {
  if (!error_) {
    error_ = Error(Errc::kInvalid, fmt::format("at byte {}: {}", at_ - begin_, what));
  }
  at_ = end_;
}

std::uint8_t Reader::cut_off() {
  fail("the value is cut off");
  return 0;
}

bool Reader::boolean() {
  std::uint8_t value = byte();
  if (value > 1) fail("neither 0 nor 1");
  return value == 1;
}

std::uint64_t Reader::long_unsigned_leb(unsigned bits) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    std::uint8_t part = byte();
    unsigned room = bits - shift;
    if (room < 7 && (part & 0x7f) >> room != 0) break;
    value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
    if (part < 0x80) return value;
  }
  fail(fmt::format("a number of more than {} bits", bits));
  return 0;
}

std::int64_t Reader::signed_leb(unsigned bits) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    std::uint8_t part = byte();
    unsigned room = bits - shift;
    if (room < 7) {
      // What is over must repeat the sign, which is the last bit there is room for.
      auto over = static_cast<std::uint8_t>((part & 0x7f) >> (room - 1));
      if (over != 0 && over != 0x7f >> (room - 1)) break;
    }
    value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
    if (part >= 0x80) continue;
    unsigned used = shift + 7;
    if (used < 64 && (part & 0x40) != 0) value |= ~std::uint64_t{0} << used;
    return static_cast<std::int64_t>(value);
  }
  fail(fmt::format("a number of more than {} bits", bits));
  return 0;
}

std::size_t Reader::count() {
  std::size_t count = unsigned_leb(32);
  if (count > left()) {
    fail(fmt::format("{} elements in {} bytes", count, left()));
    return 0;
  }
  return count;
}

std::string_view Reader::text() {
  std::size_t size = unsigned_leb(32);
  std::string_view text = as_text(raw(size));
  if (!is_utf8(text)) {
    fail("a string that is not UTF-8");
    return {};
  }
  return text;
}

char32_t Reader::character() {
  std::size_t length = at_ == end_ ? 0 : sequence_length(at_, end_);
  if (length == 0) {
    fail("no UTF-8 character");
    return 0;
  }
  std::uint32_t code = length == 1 ? *at_ : *at_ & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (at_[i] & 0x3f);
  at_ += length;
  return code;
}

std::uint32_t Reader::discriminant(std::uint32_t cases) {
  auto index = static_cast<std::uint32_t>(unsigned_leb(32));
  if (index >= cases) {
    fail(fmt::format("case {} of {}", index, cases));
    return 0;
  }
  return index;
}

Resource* Reader::borrow(ResourceKind kind) {
  auto number = static_cast<std::uint32_t>(unsigned_leb(32));
  if (failed()) return nullptr;
  if (resources_ == nullptr) {
    fail("no handle can cross here");
    return nullptr;
  }
  Result<Resource*> resource = resources_->get(kind, number);
  if (!resource) {
    error_ = std::move(resource).error();
    at_ = end_;
    return nullptr;
  }
  return *resource;
}

std::unique_ptr<Resource> Reader::own(ResourceKind kind) {
  auto number = static_cast<std::uint32_t>(unsigned_leb(32));
  if (failed()) return nullptr;
  if (resources_ == nullptr) {
    fail("no handle can cross here");
    return nullptr;
  }
  Result<std::unique_ptr<Resource>> resource = resources_->take(kind, number);
  if (!resource) {
    error_ = std::move(resource).error();
    at_ = end_;
    return nullptr;
  }
  return *std::move(resource);
}

Result<void> Reader::end() {
  if (!error_ && at_ != end_) {
    std::size_t over = left();
    fail(fmt::format("{} bytes more than the values take", over));
  }
  if (error_) [[unlikely]]
    return std::unexpected(*error_);
  return {};
}

}  // namespace weft
