// What the C++ bindings of WIT are made of (`weft bindgen guest-cpp`), beside the standard library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace weft {

// A payload that is not there.
struct Nothing {
  friend bool operator==(Nothing, Nothing) = default;
};

// One function of many, chosen by the argument: for std::visit and for a variant's match.
template <class... F>
struct Overload : F... {
  using F::operator()...;
};

namespace abi {

// A resource's place in the component's table of handles.
struct Number {
  std::uint32_t value = 0;
};

// A resource that somebody else implements. Dropped with its owner; empty after a move.
template <class Self>
class Imported {
 public:
  Imported() = default;
  explicit Imported(Number number) : number_(number.value) {}
  Imported(Imported&& other) noexcept : number_(std::exchange(other.number_, 0)) {}
  Imported& operator=(Imported&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Imported() {
    if (number_ != 0) Self::drop_({number_});
  }

  explicit operator bool() const { return number_ != 0; }
  std::uint32_t number() const { return number_; }
  // Gives the number away: what crosses as `own` belongs to the other side.
  std::uint32_t release() { return std::exchange(number_, 0); }
  friend bool operator==(const Imported&, const Imported&) = default;

 private:
  std::uint32_t number_ = 0;
};

// A resource that this component implements. Handles of others stand for the object, which is
// destroyed with the last of them, or handed back as a std::unique_ptr.
class Exported {
 public:
  virtual ~Exported() = default;

  // Taking an object back drops its handle, and to drop a handle destroys its object: unless it is
  // kept. For the bindings.
  bool kept_ = false;

 protected:
  Exported() = default;
  Exported(const Exported&) {}
  Exported& operator=(const Exported&) { return *this; }
};

// Memory that is lent to the host for as long as this lives.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    while (last_ != nullptr) std::free(std::exchange(last_, last_->next));
  }

  std::byte* take(std::size_t count, std::size_t size) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(Block), &bytes)) {
      std::abort();
    }
    auto* block = static_cast<Block*>(std::malloc(bytes));
    if (block == nullptr) std::abort();
    block->next = last_;
    last_ = block;
    return reinterpret_cast<std::byte*>(block + 1);
  }

 private:
  struct alignas(8) Block {
    Block* next;
  };
  Block* last_ = nullptr;
};

// Memory that the host put values into: freed when the call is over, for it is only viewed.
class Kept {
 public:
  Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    for (std::size_t i = 0; i < count_; ++i) std::free(few_[i]);
    for (void* each : more_) std::free(each);
  }
  void keep(void* memory) {
    if (count_ < few_.size()) {
      few_[count_++] = memory;
    } else {
      more_.push_back(memory);
    }
  }

 private:
  std::array<void*, 4> few_{};
  std::size_t count_ = 0;
  std::vector<void*> more_;
};

}  // namespace abi
}  // namespace weft
