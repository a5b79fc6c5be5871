#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::node {

// Numbered fields in one canonical form: each its number (2 bytes), its length (4 bytes), its
// bytes, all numbers little endian, in growing order, none twice, none that is empty by default.
class FieldWriter {
 public:
  explicit FieldWriter(Bytes& out) : out_(out) {}

  // In growing order of `number`: a CHECK.
  void bytes(std::uint16_t number, BytesView value);
  void text(std::uint16_t number, std::string_view value) { bytes(number, as_bytes(value)); }
  void u64(std::uint16_t number, std::uint64_t value);
  void u8(std::uint16_t number, std::uint8_t value) { bytes(number, BytesView(&value, 1)); }

 private:
  Bytes& out_;
  int last_ = -1;
};

// Reads what FieldWriter wrote. The fields are asked for in growing order; the first that is not
// there, or is of another length, is kept as a failure, which `finish` answers: what was returned
// until then counts for nothing. Views borrow from the bytes.
class FieldReader {
 public:
  explicit FieldReader(BytesView bytes) : rest_(bytes) {}

  // At most `most` bytes.
  BytesView bytes(std::uint16_t number, std::size_t most);
  // Exactly `size`.
  BytesView exactly(std::uint16_t number, std::size_t size);
  // UTF-8 that may be shown as it is (base/shown_text.h).
  std::string_view text(std::uint16_t number, std::size_t most);
  std::uint64_t u64(std::uint16_t number);
  std::uint8_t u8(std::uint16_t number);
  // Whether the next field is that one: for those that may be missing.
  bool has(std::uint16_t number) const;

  // kInvalid where anything was wrong, or where something is left.
  Result<void> finish() const;

 private:
  void fail(const char* why, std::uint16_t number);

  BytesView rest_;
  int last_ = -1;
  const char* why_ = nullptr;
  std::uint16_t at_ = 0;
};

// Numbers as fields have them.
void append_u64(Bytes& out, std::uint64_t value);
std::uint64_t read_u64(BytesView bytes);

}  // namespace weft::node
