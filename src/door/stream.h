#pragma once

#include <concepts>
#include <optional>
#include <utility>

#include "door/codec.h"
#include "door/context.h"
#include "door/pipe.h"

namespace weft {

// A payload that is not there.
struct Nothing {
  friend bool operator==(Nothing, Nothing) = default;
};

// The end of a pipe that bytes come out of: of a stream<u8>, or of a wasi:io stream.
//
//   for (;;) {
//     CO_TRY(Bytes part, co_await body.read(64 << 10, call.deadline()));
//     if (part.empty()) break;                       // the end
//     ...
//   }
class ByteReader {
 public:
  ByteReader() = default;
  explicit ByteReader(PipeReader end) : end_(std::move(end)) {}

  // Some bytes, at most `max`; none at the end.
  Task<Bytes> read(std::size_t max, Deadline deadline);
  // Everything up to the end. Fails with kLimit when that is more than `max`.
  Task<Bytes> read_all(std::size_t max, Deadline deadline);
  // The end itself, for those who wait without a coroutine or read without a copy.
  PipeReader& end() { return end_; }
  friend bool operator==(const ByteReader&, const ByteReader&) = default;

 private:
  PipeReader end_;
};

// The end that bytes are put into. Dropped before `finish` it counts as failed.
class ByteWriter {
 public:
  ByteWriter() = default;
  explicit ByteWriter(PipeWriter end) : end_(std::move(end)) {}

  // Returns when all of it is in the pipe. Fails with kCancelled when nobody reads any more.
  Task<void> write(Bytes bytes, Deadline deadline);
  void finish() { end_.finish(); }
  void fail(Error error) { end_.fail(std::move(error)); }
  PipeWriter& end() { return end_; }
  friend bool operator==(const ByteWriter&, const ByteWriter&) = default;

 private:
  PipeWriter end_;
};

template <class T = Nothing>
class StreamWriter;
template <class T = Nothing>
class FutureWriter;

// What crosses as stream<T>: the end that items are read from. T is an owned type.
template <class T = Nothing>
class Stream {
 public:
  static constexpr PipeKind kKind = PipeKind::kItems;
  using Made = std::pair<Stream, StreamWriter<T>>;

  Stream() = default;
  explicit Stream(PipeReader end) : end_(std::move(end)) {}
  // A stream to hand over, and the end that the host keeps.
  static Made make(Loop& loop);

  // The next item; nothing at the end.
  Task<std::optional<T>> next(Deadline deadline) {
    CO_TRY(bool more, co_await end_.readable(deadline));
    if (!more) co_return std::optional<T>();
    Reader in(end_.view());
    T item = in.read<T>();
    CO_TRY_VOID(in.end());
    end_.take(1);
    co_return std::optional<T>(std::move(item));
  }
  PipeReader& end() { return end_; }
  friend bool operator==(const Stream&, const Stream&) = default;

 private:
  PipeReader end_;
};

template <class T>
class StreamWriter {
 public:
  StreamWriter() = default;
  explicit StreamWriter(PipeWriter end) : end_(std::move(end)) {}

  // Returns when the item is in the pipe. Fails with kCancelled when nobody reads any more.
  Task<void> write(T item, Deadline deadline) {
    CO_TRY_VOID(co_await end_.writable(deadline));
    co_return put(item);
  }
  // The same without waiting: false when there is no room.
  Result<bool> try_write(const T& item) {
    if (end_.room() == 0) return false;
    TRY_VOID(put(item));
    return true;
  }
  void finish() { end_.finish(); }
  void fail(Error error) { end_.fail(std::move(error)); }
  PipeWriter& end() { return end_; }
  friend bool operator==(const StreamWriter&, const StreamWriter&) = default;

 private:
  Result<void> put(const T& item) {
    Buffer bytes;
    Writer out(bytes);
    out.write(item);
    TRY_VOID(out.end());
    end_.write_item(bytes.view());
    return {};
  }
  PipeWriter end_;
};

template <class T>
auto Stream<T>::make(Loop& loop) -> Made {
  auto [reader, writer] = Pipe::make(loop, kKind);
  return {Stream(std::move(reader)), StreamWriter<T>(std::move(writer))};
}

// stream<u8> is bytes.
template <>
class StreamWriter<std::uint8_t> : public ByteWriter {
 public:
  using ByteWriter::ByteWriter;
};
template <>
class Stream<std::uint8_t> : public ByteReader {
 public:
  static constexpr PipeKind kKind = PipeKind::kBytes;
  using Made = std::pair<Stream, StreamWriter<std::uint8_t>>;
  using ByteReader::ByteReader;
  static Made make(Loop& loop) {
    auto [reader, writer] = Pipe::make(loop, kKind);
    return {Stream(std::move(reader)), StreamWriter<std::uint8_t>(std::move(writer))};
  }
};

// What crosses as future<T>: the end that the one value is read from.
template <class T = Nothing>
class Future {
 public:
  static constexpr PipeKind kKind = PipeKind::kOne;
  using Made = std::pair<Future, FutureWriter<T>>;

  Future() = default;
  explicit Future(PipeReader end) : end_(std::move(end)) {}
  static Made make(Loop& loop);

  // The value. Fails as its writer failed.
  Task<T> get(Deadline deadline) {
    CO_TRY(bool more, co_await end_.readable(deadline));
    if (!more) co_return failure(Errc::kInvalid, "the value of this future was taken already");
    Reader in(end_.view());
    T value = in.read<T>();
    CO_TRY_VOID(in.end());
    end_.take(1);
    co_return value;
  }
  PipeReader& end() { return end_; }
  friend bool operator==(const Future&, const Future&) = default;

 private:
  PipeReader end_;
};

// Sets a future once. Dropped before that, it fails the future: a guest that waits for it traps.
template <class T>
class FutureWriter {
 public:
  FutureWriter() = default;
  explicit FutureWriter(PipeWriter end) : end_(std::move(end)) {}

  Result<void> set(const T& value) {
    Buffer bytes;
    Writer out(bytes);
    out.write(value);
    TRY_VOID(out.end());
    end_.write_item(bytes.view());
    return {};
  }
  void fail(Error error) { end_.fail(std::move(error)); }
  PipeWriter& end() { return end_; }
  friend bool operator==(const FutureWriter&, const FutureWriter&) = default;

 private:
  PipeWriter end_;
};

template <class T>
auto Future<T>::make(Loop& loop) -> Made {
  auto [reader, writer] = Pipe::make(loop, kKind);
  return {Future(std::move(reader)), FutureWriter<T>(std::move(writer))};
}

// What crosses as wasi:io's own<input-stream>: whoever gets it reads.
class InputPipe : public ByteReader {
 public:
  static constexpr PipeKind kKind = PipeKind::kBytes;
  using ByteReader::ByteReader;
  // For the guest to read from: the host keeps the writing end.
  static std::pair<InputPipe, ByteWriter> make(Loop& loop);
};

// What crosses as wasi:io's own<output-stream>: whoever gets it writes.
class OutputPipe : public ByteWriter {
 public:
  static constexpr PipeKind kKind = PipeKind::kBytes;
  using ByteWriter::ByteWriter;
  // For the guest to write to: the host keeps the reading end.
  static std::pair<OutputPipe, ByteReader> make(Loop& loop);
};

namespace detail {
template <class E>
concept CrossesAsReader = requires(E end) {
  E::kKind;
  { end.end() } -> std::same_as<PipeReader&>;
};
template <class E>
concept CrossesAsWriter = requires(E end) {
  E::kKind;
  { end.end() } -> std::same_as<PipeWriter&>;
};
}  // namespace detail

template <detail::CrossesAsReader E>
struct Codec<E> {
  static void write(Writer& out, E& stream) { out.pipe(std::move(stream.end())); }
  static E read(Reader& in) { return E(in.pipe_reader(E::kKind)); }
};
template <detail::CrossesAsWriter E>
struct Codec<E> {
  static void write(Writer& out, E& stream) { out.pipe(std::move(stream.end())); }
  static E read(Reader& in) { return E(in.pipe_writer(E::kKind)); }
};

}  // namespace weft
