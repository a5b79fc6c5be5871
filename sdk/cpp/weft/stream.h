// stream<T> and future<T>: values that come one after another, or later, between a component and
// its host. Each has an end that is read and one that is written; an end is dropped with its owner.
// To wait is to be in a coroutine of an async function.
#pragma once

#include <concepts>
#include <memory>

#include "weft/async.h"
#include "weft/wit.h"

namespace weft {

template <class T>
class StreamWriter;
template <class T>
class FutureWriter;

namespace abi {

// The component model's functions for streams and for futures of T. The bindings define them, in
// guest.cc alone.
template <class T>
struct StreamCalls {
  static std::uint64_t make();
  static std::uint32_t read(std::uint32_t end, void* items, std::size_t count);
  static std::uint32_t write(std::uint32_t end, const void* items, std::size_t count);
  static void drop_reader(std::uint32_t end);
  static void drop_writer(std::uint32_t end);
  static std::size_t size();
  static T load(const std::byte* at);
  static void store(T& value, std::byte* at, Scratch& scratch);
};
template <class T>
struct FutureCalls {
  static std::uint64_t make();
  static std::uint32_t read(std::uint32_t end, void* value);
  static std::uint32_t write(std::uint32_t end, const void* value);
  static void drop_reader(std::uint32_t end);
  static void drop_writer(std::uint32_t end);
  static std::size_t size();
  static T load(const std::byte* at);
  static void store(T& value, std::byte* at, Scratch& scratch);
};

// One end, dropped by `drop` with its owner.
template <void (*drop)(std::uint32_t)>
class End {
 public:
  End() = default;
  explicit End(Number number) : number_(number.value) {}
  End(End&& other) noexcept
      : number_(std::exchange(other.number_, 0)), over_(std::exchange(other.over_, false)) {}
  End& operator=(End&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(over_, other.over_);
    return *this;
  }
  ~End() { reset(); }

  void reset() {
    if (number_ != 0) drop(std::exchange(number_, 0));
  }
  std::uint32_t number() const { return number_; }
  std::uint32_t release() { return std::exchange(number_, 0); }
  explicit operator bool() const { return number_ != 0; }
  // Whether the other end has gone: there is nothing to wait for any more.
  bool over() const { return number_ == 0 || over_; }
  friend bool operator==(const End&, const End&) = default;

  // Waits for what was started, and gives how many items it moved.
  Task<std::size_t> moved(std::uint32_t started) {
    std::uint32_t status = co_await Io{number_, started};
    if (detail::state_of(status) != 0) over_ = true;
    co_return detail::number_of(status);
  }

 private:
  std::uint32_t number_ = 0;
  bool over_ = false;
};

inline std::pair<Number, Number> both_ends(std::uint64_t made) {
  return {{static_cast<std::uint32_t>(made)}, {static_cast<std::uint32_t>(made >> 32)}};
}

}  // namespace abi

// What crosses as stream<T>: the end that items are read from.
template <class T = Nothing>
class Stream {
 public:
  using Made = std::pair<Stream, StreamWriter<T>>;

  Stream() = default;
  explicit Stream(abi::Number end) : end_(end) {}
  // A stream to hand over, and the end to write to.
  static Made make();

  // The next item; nothing at the end.
  Task<std::optional<T>> next() {
    if (end_.over()) co_return std::optional<T>();
    abi::Scratch scratch;
    std::byte* place = scratch.take(1, Calls::size());
    if (co_await end_.moved(Calls::read(end_.number(), place, 1)) == 0) {
      co_return std::optional<T>();
    }
    co_return std::optional<T>(Calls::load(place));
  }
  auto& end() { return end_; }
  friend bool operator==(const Stream&, const Stream&) = default;

 private:
  using Calls = abi::StreamCalls<T>;
  abi::End<&Calls::drop_reader> end_;
};

template <class T = Nothing>
class StreamWriter {
 public:
  StreamWriter() = default;
  explicit StreamWriter(abi::Number end) : end_(end) {}

  // Returns when the item was read; false when nobody reads any more.
  Task<bool> write(T item) {
    if (end_.over()) co_return false;
    abi::Scratch scratch;
    std::byte* place = scratch.take(1, Calls::size());
    Calls::store(item, place, scratch);
    co_return co_await end_.moved(Calls::write(end_.number(), place, 1)) == 1;
  }
  // The end of the stream, which dropping the writer is too.
  void finish() { end_.reset(); }

 private:
  using Calls = abi::StreamCalls<T>;
  abi::End<&Calls::drop_writer> end_;
};

template <class T>
auto Stream<T>::make() -> Made {
  auto [reader, writer] = abi::both_ends(Calls::make());
  return {Stream(reader), StreamWriter<T>(writer)};
}

// stream<u8> is bytes.
template <std::same_as<std::uint8_t> T>
class StreamWriter<T> {
 public:
  StreamWriter() = default;
  explicit StreamWriter(abi::Number end) : end_(end) {}

  // Returns when all of it was read; false when nobody reads any more.
  Task<bool> write(std::vector<std::uint8_t> bytes) {
    std::size_t done = 0;
    while (done < bytes.size() && !end_.over()) {
      done += co_await end_.moved(
          Calls::write(end_.number(), bytes.data() + done, bytes.size() - done));
    }
    co_return done == bytes.size();
  }
  void finish() { end_.reset(); }

 private:
  using Calls = abi::StreamCalls<T>;
  abi::End<&Calls::drop_writer> end_;
};
template <std::same_as<std::uint8_t> T>
class Stream<T> {
 public:
  using Made = std::pair<Stream, StreamWriter<T>>;
  static constexpr std::size_t kPiece = 64 * 1024;

  Stream() = default;
  explicit Stream(abi::Number end) : end_(end) {}
  static Made make() {
    auto [reader, writer] = abi::both_ends(Calls::make());
    return {Stream(reader), StreamWriter<T>(writer)};
  }

  // Some bytes, at most `max`; none at the end.
  Task<std::vector<std::uint8_t>> read(std::size_t max = kPiece) {
    if (end_.over()) co_return std::vector<std::uint8_t>();
    auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(max);
    std::size_t count = co_await end_.moved(Calls::read(end_.number(), buffer.get(), max));
    co_return std::vector<std::uint8_t>(buffer.get(), buffer.get() + count);
  }
  // Everything up to the end; nothing when that is more than `max`.
  Task<std::optional<std::vector<std::uint8_t>>> read_all(std::size_t max) {
    std::vector<std::uint8_t> all;
    for (;;) {
      auto piece = co_await read();
      if (piece.empty()) co_return std::optional(std::move(all));
      if (piece.size() > max - all.size()) co_return std::nullopt;
      all.insert(all.end(), piece.begin(), piece.end());
    }
  }
  auto& end() { return end_; }
  friend bool operator==(const Stream&, const Stream&) = default;

 private:
  using Calls = abi::StreamCalls<T>;
  abi::End<&Calls::drop_reader> end_;
};

// What crosses as future<T>: the end that the one value is read from.
template <class T = Nothing>
class Future {
 public:
  using Made = std::pair<Future, FutureWriter<T>>;

  Future() = default;
  explicit Future(abi::Number end) : end_(end) {}
  // A future to hand over, and the end to set.
  static Made make();

  // The value, once: whose writer is gone never has one, and the component traps.
  Task<T> get() {
    abi::Scratch scratch;
    std::byte* place = scratch.take(1, Calls::size());
    co_await end_.moved(Calls::read(end_.number(), place));
    co_return Calls::load(place);
  }
  auto& end() { return end_; }
  friend bool operator==(const Future&, const Future&) = default;

 private:
  using Calls = abi::FutureCalls<T>;
  abi::End<&Calls::drop_reader> end_;
};

// Sets a future once. It must be set before it is dropped.
template <class T = Nothing>
class FutureWriter {
 public:
  FutureWriter() = default;
  explicit FutureWriter(abi::Number end) : end_(end) {}

  // Returns when the value was read; false when nobody wants it any more.
  Task<bool> set(T value) {
    abi::Scratch scratch;
    std::byte* place = scratch.take(1, Calls::size());
    Calls::store(value, place, scratch);
    co_await end_.moved(Calls::write(end_.number(), place));
    co_return !end_.over();
  }

 private:
  using Calls = abi::FutureCalls<T>;
  abi::End<&Calls::drop_writer> end_;
};

template <class T>
auto Future<T>::make() -> Made {
  auto [reader, writer] = abi::both_ends(Calls::make());
  return {Future(reader), FutureWriter<T>(writer)};
}

}  // namespace weft
