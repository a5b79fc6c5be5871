// Calls by the canonical ABI of the component model, and what streams are moved with. Only the
// sources that `weft bindgen guest-cpp` writes include this.
#pragma once

#include "weft/abi_values.h"

namespace weft::abi {

// A call of a core function: `P` lowered for it, in slots where there are at most `flat_max` and
// else in memory, and a place for the result. Holds still until the call is over.
template <class R, std::size_t flat_max, class... P>
class Call {
 public:
  using Params = Pack<std::remove_const_t<P>...>;
  static constexpr bool kFlat = Params::kFlat <= flat_max;

  explicit Call(P&... values) {
    if constexpr (kFlat) {
      Params::lower_all(slots_, scratch_, values...);
    } else {
      Params::store_all(memory_, scratch_, values...);
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  std::uint32_t i32(std::size_t slot) const { return static_cast<std::uint32_t>(slots_[slot]); }
  std::uint64_t i64(std::size_t slot) const { return slots_[slot]; }
  float f32(std::size_t slot) const { return from_slot<float>(slots_[slot]); }
  double f64(std::size_t slot) const { return from_slot<double>(slots_[slot]); }
  const void* params() const { return memory_; }
  void* result() { return result_; }

  // The result, from its place or from what the function returned.
  R take() {
    Kept kept;
    return Abi<R>::load(result_, kept);
  }
  template <class Core>
  R take(Core returned) {
    Kept kept;
    std::uint64_t slot = to_slot(returned);
    return Abi<R>::lift(&slot, kept);
  }

 private:
  static constexpr std::size_t kResult = std::max<std::size_t>(Abi<OrNothing<R>>::kSize, 1);

  Scratch scratch_;
  std::uint64_t slots_[kFlat ? Params::kFlat + 1 : 1];
  alignas(8) std::byte memory_[kFlat ? 1 : Params::kSize];
  alignas(8) std::byte result_[kResult];
};

// The parameters of an exported function: from slots, or from the memory the caller put them in.
template <class... P>
std::tuple<P...> lift_params(const std::uint64_t* flat, Kept& kept) {
  return Pack<P...>::template lift_all<std::tuple<P...>>(flat, kept);
}
template <class... P>
std::tuple<P...> load_params(void* memory, Kept& kept) {
  kept.keep(memory);
  return Pack<P...>::template load_all<std::tuple<P...>>(static_cast<std::byte*>(memory), kept);
}

// A result that is one core value.
template <class Core, class R>
Core lower_result(R value) {
  Scratch scratch;
  std::uint64_t slot = 0;
  if constexpr (Abi<R>::kFlat == 1) Abi<R>::lower(value, &slot, scratch);
  return from_slot<Core>(slot);
}

// A result that the caller reads from memory, until it says that it has. Nothing else runs between.
template <class R>
class Returned {
 public:
  static void* hold(R value) {
    Held* held = new (held_) Held{std::move(value), {}};
    Abi<R>::store(held->value, memory_, held->scratch);
    return memory_;
  }
  static void release() { std::launder(reinterpret_cast<Held*>(held_))->~Held(); }

 private:
  struct Held {
    R value;
    Scratch scratch;
  };
  alignas(Held) static inline std::byte held_[sizeof(Held)];
  alignas(8) static inline std::byte memory_[std::max<std::size_t>(Abi<R>::kSize, 1)];
};

// How streams and futures of T are made, read and written: the core functions, which the bindings
// have a `StreamCore` and a `FutureCore` of, with T as memory has it.
template <class T>
struct StreamCore;
template <class T>
struct FutureCore;

template <class T>
std::uint64_t StreamCalls<T>::make() {
  return StreamCore<T>::make();
}
template <class T>
std::uint32_t StreamCalls<T>::read(std::uint32_t end, void* items, std::size_t count) {
  return StreamCore<T>::read(end, items, count);
}
template <class T>
std::uint32_t StreamCalls<T>::write(std::uint32_t end, const void* items, std::size_t count) {
  return StreamCore<T>::write(end, items, count);
}
template <class T>
void StreamCalls<T>::drop_reader(std::uint32_t end) {
  StreamCore<T>::drop_reader(end);
}
template <class T>
void StreamCalls<T>::drop_writer(std::uint32_t end) {
  StreamCore<T>::drop_writer(end);
}
template <class T>
std::size_t StreamCalls<T>::size() {
  return Abi<T>::kSize;
}
template <class T>
T StreamCalls<T>::load(const std::byte* at) {
  Kept kept;
  return Abi<T>::load(at, kept);
}
template <class T>
void StreamCalls<T>::store(T& value, std::byte* at, Scratch& scratch) {
  Abi<T>::store(value, at, scratch);
}

template <class T>
std::uint64_t FutureCalls<T>::make() {
  return FutureCore<T>::make();
}
template <class T>
std::uint32_t FutureCalls<T>::read(std::uint32_t end, void* value) {
  return FutureCore<T>::read(end, value);
}
template <class T>
std::uint32_t FutureCalls<T>::write(std::uint32_t end, const void* value) {
  return FutureCore<T>::write(end, value);
}
template <class T>
void FutureCalls<T>::drop_reader(std::uint32_t end) {
  FutureCore<T>::drop_reader(end);
}
template <class T>
void FutureCalls<T>::drop_writer(std::uint32_t end) {
  FutureCore<T>::drop_writer(end);
}
template <class T>
std::size_t FutureCalls<T>::size() {
  return Abi<T>::kSize;
}
template <class T>
T FutureCalls<T>::load(const std::byte* at) {
  Kept kept;
  return Abi<T>::load(at, kept);
}
template <class T>
void FutureCalls<T>::store(T& value, std::byte* at, Scratch& scratch) {
  Abi<T>::store(value, at, scratch);
}

}  // namespace weft::abi
