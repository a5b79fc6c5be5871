#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace weft {

// Copies like memcpy, in pieces that the C library does not hand to `rep movsb`. On some processors
// that instruction takes ten times as long where source and target differ by a few bytes modulo a
// page, as they do when a length stands in front of a large block.
inline void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t count) {
  constexpr std::size_t kPiece = 2048;
  while (count > kPiece) {
    std::memcpy(to, from, kPiece);
    // Without the fence the compiler makes one large memcpy of the pieces again.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    to += kPiece;
    from += kPiece;
    count -= kPiece;
  }
  std::memcpy(to, from, count);
}

// A growing run of bytes that is not zeroed when it grows and keeps its room when it is cleared:
// what a call writes its reply into. One owner, one thread.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  const std::uint8_t* data() const { return data_; }
  std::uint8_t* data() { return data_; }
  std::size_t size() const { return size_; }
  std::size_t room() const { return room_; }
  bool empty() const { return size_ == 0; }
  BytesView view() const { return {data_, size_}; }
  std::string_view text() const { return as_text(view()); }

  void clear() { size_ = 0; }
  // Gives the memory back when more than `kept` bytes of room are held; empties the buffer.
  void shrink(std::size_t kept) {
    if (room_ > kept) *this = Buffer();
    size_ = 0;
  }

  // Room for `count` more bytes at the end; the caller writes them and calls `advance`.
  std::uint8_t* reserve(std::size_t count) {
    if (room_ - size_ < count) grow(count);
    return data_ + size_;
  }
  void advance(std::size_t count) { size_ += count; }
  void resize_down(std::size_t size) { size_ = size; }

  void push(std::uint8_t byte) {
    *reserve(1) = byte;
    ++size_;
  }
  void append(BytesView bytes) {
    if (bytes.empty()) return;
    copy_bytes(reserve(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void append(std::string_view text) { append(as_bytes(text)); }

 private:
  void grow(std::size_t count) {
    std::size_t room = room_ < 64 ? 128 : room_ * 2;
    if (room < size_ + count) room = size_ + count;
    auto* data = static_cast<std::uint8_t*>(std::realloc(data_, room));
    if (data == nullptr) throw std::bad_alloc();
    data_ = data;
    room_ = room;
  }

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t room_ = 0;
};

}  // namespace weft
