#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace weft {

// Room for the one operation of a kind that an object has under way, so that asio allocates nothing
// for it. Owned by that object, which outlives the operation.
class HandlerMemory {
 public:
  static constexpr std::size_t kSize = 256;

  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* allocate(std::size_t size) {
    if (used_ || size > kSize) return ::operator new(size);
    used_ = true;
    return room_.data();
  }
  void deallocate(void* pointer) {
    if (pointer != room_.data()) return ::operator delete(pointer);
    used_ = false;
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, kSize> room_;
  bool used_ = false;
};

// What a handler tells asio to allocate with.
template <class T>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(HandlerMemory& memory) : memory_(&memory) {}
  template <class U>
  HandlerAllocator(const HandlerAllocator<U>& other) : memory_(other.memory_) {}

  T* allocate(std::size_t count) { return static_cast<T*>(memory_->allocate(count * sizeof(T))); }
  void deallocate(T* pointer, std::size_t) { memory_->deallocate(pointer); }
  template <class U>
  bool operator==(const HandlerAllocator<U>& other) const {
    return memory_ == other.memory_;
  }

 private:
  template <class U>
  friend class HandlerAllocator;
  HandlerMemory* memory_;
};

}  // namespace weft
