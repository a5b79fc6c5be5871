#include "node/object/fields.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/shown_text.h"

namespace weft::node {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kHeadBytes = sizeof(std::uint16_t) + sizeof(std::uint32_t);

template <class T>
void append(Bytes& out, T value) {
  auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

template <class T>
T read(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

bool is_plain_text(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = shown_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

void append_u64(Bytes& out, std::uint64_t value) {
  append(out, value);
}

std::uint64_t read_u64(BytesView bytes) {
  CHECK(bytes.size() == sizeof(std::uint64_t));
  return read<std::uint64_t>(bytes.data());
}

void FieldWriter::bytes(std::uint16_t number, BytesView value) {
  CHECK(number > last_);
  CHECK(value.size() <= UINT32_MAX);
  last_ = number;
  append(out_, number);
  append(out_, static_cast<std::uint32_t>(value.size()));
  out_.insert(out_.end(), value.begin(), value.end());
}

void FieldWriter::u64(std::uint16_t number, std::uint64_t value) {
  bytes(number, BytesView(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
}

void FieldReader::fail(const char* why, std::uint16_t number) {
  if (why_ != nullptr) return;
  why_ = why;
  at_ = number;
}

bool FieldReader::has(std::uint16_t number) const {
  return why_ == nullptr && rest_.size() >= kHeadBytes &&
         read<std::uint16_t>(rest_.data()) == number;
}

BytesView FieldReader::bytes(std::uint16_t number, std::size_t most) {
  CHECK(number > last_);
  last_ = number;
  if (why_ != nullptr) return {};
  if (!has(number)) {
    fail("is not where it has to be", number);
    return {};
  }
  std::size_t size = read<std::uint32_t>(rest_.data() + sizeof number);
  if (size > rest_.size() - kHeadBytes) {
    fail("is cut off", number);
    return {};
  }
  if (size > most) {
    fail("is too long", number);
    return {};
  }
  BytesView value = rest_.subspan(kHeadBytes, size);
  rest_ = rest_.subspan(kHeadBytes + size);
  return value;
}

BytesView FieldReader::exactly(std::uint16_t number, std::size_t size) {
  BytesView value = bytes(number, size);
  if (value.size() == size) return value;
  fail("has another length", number);
  return {};
}

std::string_view FieldReader::text(std::uint16_t number, std::size_t most) {
  BytesView value = bytes(number, most);
  if (is_plain_text(as_text(value))) return as_text(value);
  fail("is no plain text", number);
  return {};
}

std::uint64_t FieldReader::u64(std::uint16_t number) {
  BytesView value = exactly(number, sizeof(std::uint64_t));
  return value.empty() ? 0 : read_u64(value);
}

std::uint8_t FieldReader::u8(std::uint16_t number) {
  BytesView value = exactly(number, 1);
  return value.empty() ? 0 : value[0];
}

Result<void> FieldReader::finish() const {
  if (why_ != nullptr) return failure(Errc::kInvalid, fmt::format("field {} {}", at_, why_));
  if (!rest_.empty()) return failure(Errc::kInvalid, "there is more than the fields that belong");
  return {};
}

}  // namespace weft::node
