#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "door/pipe.h"
#include "door/resources.h"

namespace weft {

// How a C++ type crosses the door, in the encoding docs/ENCODING.md fixes. A specialisation has
//   static void write(Writer&, const T&);   // or T& where writing hands over a resource
//   static T read(Reader&);                 // any value of T once the reader has failed
// door/values.h has those of the standard types; generated code brings those of WIT's named types.
template <class T>
struct Codec;

// Writes values to the end of a buffer. A failure (a handle too many, a list too long) sticks: what
// is written after it does not matter, and `end` reports it.
class Writer {
 public:
  // `resources` is where handles go; without it they fail.
  explicit Writer(Buffer& out, ResourceTable* resources = nullptr)
      : out_(out), resources_(resources) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  template <class T>
  void write(T&& value) {
    Codec<std::remove_cvref_t<T>>::write(*this, value);
  }

  void byte(std::uint8_t value) { out_.push(value); }
  void raw(BytesView bytes) { out_.append(bytes); }
  void unsigned_leb(std::uint64_t value) {
    std::uint8_t* at = out_.reserve(10);
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) at[size++] = static_cast<std::uint8_t>(value | 0x80);
    at[size++] = static_cast<std::uint8_t>(value);
    out_.advance(size);
  }
  void signed_leb(std::int64_t value) {
    std::uint8_t* at = out_.reserve(10);
    std::size_t size = 0;
    for (; value < -0x40 || value > 0x3f; value >>= 7) {
      at[size++] = static_cast<std::uint8_t>(value | 0x80);
    }
    at[size++] = static_cast<std::uint8_t>(value & 0x7f);
    out_.advance(size);
  }
  // The bytes as they lie in memory: for floats, which are little endian on the wire.
  template <class T>
  void memory(const T& value) {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(out_.reserve(sizeof(T)), &value, sizeof(T));
    out_.advance(sizeof(T));
  }
  // The number of elements of a list, or of bytes of a string.
  void count(std::size_t count) {
    if (count > UINT32_MAX) return fail(Error(Errc::kLimit, "a list has more than 2^32 elements"));
    unsigned_leb(count);
  }
  void text(std::string_view text) {
    count(text.size());
    out_.append(text);
  }
  void character(char32_t value);
  // Puts a resource into the table and writes its number.
  void own(ResourceKind kind, std::unique_ptr<Resource> resource);
  // Sends the end of a pipe on its way and writes its number.
  void pipe(PipeTable::End end);

  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }
  Result<void> end() {
    if (error_) [[unlikely]]
      return std::unexpected(*std::move(error_));
    return {};
  }

 private:
  Buffer& out_;
  ResourceTable* resources_;
  std::optional<Error> error_;
};

// Reads values from bytes that anybody may have made. The first failure sticks: from then on every
// read gives an empty value at once, and `end` reports what was wrong and where. Views it hands out
// are views of the bytes it was given.
class Reader {
 public:
  explicit Reader(BytesView bytes, ResourceTable* resources = nullptr)
      : at_(bytes.data()),
        end_(bytes.data() + bytes.size()),
        begin_(bytes.data()),
        resources_(resources) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <class T>
  T read() {
    return Codec<T>::read(*this);
  }

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool failed() const { return error_.has_value(); }
  ResourceTable* resources() const { return resources_; }

  std::uint8_t byte() {
    if (at_ == end_) [[unlikely]]
      return cut_off();
    return *at_++;
  }
  bool boolean();
  // An unsigned number of at most `bits` bits, in no more bytes than those need.
  std::uint64_t unsigned_leb(unsigned bits) {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    return long_unsigned_leb(bits);
  }
  std::int64_t signed_leb(unsigned bits);
  template <class T>
  T memory() {
    T value{};
    if (left() < sizeof(T)) [[unlikely]]
      return static_cast<T>(cut_off());
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  BytesView raw(std::size_t size) {
    if (left() < size) [[unlikely]] {
      cut_off();
      return {};
    }
    BytesView bytes(at_, size);
    at_ += size;
    return bytes;
  }
  // The number of elements that follow. Never more than there are bytes left: each takes one.
  std::size_t count();
  std::string_view text();
  char32_t character();
  // The number of a case, below `cases`.
  std::uint32_t discriminant(std::uint32_t cases);
  // The resource that is lent or handed over; null once the reader has failed.
  Resource* borrow(ResourceKind kind);
  std::unique_ptr<Resource> own(ResourceKind kind);
  // The end of a pipe that is handed over; an empty one once the reader has failed.
  PipeReader pipe_reader(PipeKind kind);
  PipeWriter pipe_writer(PipeKind kind);

  void fail(std::string_view what);
  // Everything was well and all bytes were used.
  Result<void> end();

 private:
  std::uint8_t cut_off();
  std::uint64_t long_unsigned_leb(unsigned bits);

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  const std::uint8_t* begin_;
  ResourceTable* resources_;
  std::optional<Error> error_;
};

// True when the bytes are UTF-8 without surrogates, overlong forms or anything above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace weft
