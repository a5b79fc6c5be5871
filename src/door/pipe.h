#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "io/task.h"

namespace weft {

class Loop;
class PipeReader;
class PipeWriter;

// What a pipe carries: bytes as they come, items each encoded for itself, or one item.
enum class PipeKind : std::uint8_t { kBytes, kItems, kOne };

// What a reader finds.
enum class PipeState : std::uint8_t { kNothingYet, kData, kEnd, kFailed };

// Runs once when an end may go on. Inside a call of the other end: it may post or mark, no more.
using PipeWaiter = std::move_only_function<void()>;

namespace detail {
struct PipeCore;

// A counted reference; a pipe is shared by its two ends, either of which may go first.
class PipeRef {
 public:
  PipeRef() = default;
  explicit PipeRef(PipeCore* core);
  PipeRef(const PipeRef& other) : PipeRef(other.core_) {}
  PipeRef(PipeRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  PipeRef& operator=(PipeRef other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~PipeRef();

  PipeCore* operator->() const { return core_; }
  PipeCore& operator*() const { return *core_; }
  explicit operator bool() const { return core_ != nullptr; }
  friend bool operator==(const PipeRef&, const PipeRef&) = default;

 private:
  PipeCore* core_ = nullptr;
};
}  // namespace detail

// A one-way conduit between two parties of one loop, a guest and C++ as a rule: what a stream, a
// future or a wasi:io stream is while it crosses the door. It holds a bounded amount, beyond which
// its writer waits. door/stream.h has the typed ends that drivers use.
struct Pipe {
  // What a pipe holds before its writer has to wait; one item may go beyond.
  static constexpr std::size_t kBytesMax = 64 * 1024;
  static constexpr std::size_t kItemsMax = 1024;

  struct Ends;
  static Ends make(Loop& loop, PipeKind kind);
};

// The end that things come out of. Dropping it tells the writer that nobody reads any more.
class PipeReader {
 public:
  PipeReader() = default;
  PipeReader(PipeReader&&) noexcept = default;
  PipeReader& operator=(PipeReader&& other) noexcept;
  ~PipeReader();

  explicit operator bool() const { return static_cast<bool>(core_); }
  // The very same end.
  friend bool operator==(const PipeReader&, const PipeReader&) = default;
  PipeKind kind() const;
  // kEnd and kFailed come after all that was written before.
  PipeState state() const;
  // With kData: all the bytes that are there, or the first item. Holds until `take`.
  BytesView view() const;
  // Removes that many bytes of the view; of items: the item that was in view.
  void take(std::size_t count);
  // With kFailed.
  const Error& error() const;

  // Calls `waiter` when there is something new to find. Replaces an earlier one.
  void wait(PipeWaiter waiter);
  // True: data is there. False: the end. Fails as the writer failed, with kTimeout after the
  // deadline, and with kCancelled when the task is stopped. One waits at a time.
  Task<bool> readable(Deadline deadline);

 private:
  friend struct Pipe;
  explicit PipeReader(detail::PipeRef core) : core_(std::move(core)) {}
  void close();
  detail::PipeRef core_;
};

// The end that things are put into. Dropped before `finish` or `fail` it counts as failed, so that
// nobody takes half for the whole.
class PipeWriter {
 public:
  PipeWriter() = default;
  PipeWriter(PipeWriter&&) noexcept = default;
  PipeWriter& operator=(PipeWriter&& other) noexcept;
  ~PipeWriter();

  explicit operator bool() const { return static_cast<bool>(core_); }
  friend bool operator==(const PipeWriter&, const PipeWriter&) = default;
  PipeKind kind() const;
  // How many bytes may be written now, or about how many items. 0: wait.
  std::size_t room() const;
  // The reader is gone: what is written goes nowhere.
  bool abandoned() const;
  // Bytes: writes as many as there is room for, and returns how many that were.
  std::size_t write(BytesView bytes);
  // Items: an item too many for the bound is taken all the same, so ask for room first.
  void write_item(BytesView item);
  // Nothing follows. What is on its way still arrives.
  void finish();
  void fail(Error error);

  // Calls `waiter` when there is room again, or the reader is gone. Replaces an earlier one.
  void wait(PipeWaiter waiter);
  // Returns when there is room. Fails with kCancelled when the reader is gone or the task is
  // stopped, with kTimeout after the deadline. One waits at a time.
  Task<void> writable(Deadline deadline);

 private:
  friend struct Pipe;
  explicit PipeWriter(detail::PipeRef core) : core_(std::move(core)) {}
  void close();
  detail::PipeRef core_;
};

struct Pipe::Ends {
  PipeReader reader;
  PipeWriter writer;
};

// The ends of pipes that are on their way between C++ and one instance's guest, by the number under
// which they cross; and the count of those that the guest's side holds.
//
// Owned by the instance's Context. A number is used once. What is still here when the instance ends
// is dropped, so that whoever has the other end hears of it.
class PipeTable {
 public:
  // Ends on their way, and ends on the guest's side: each no more than this.
  static constexpr std::uint32_t kPipesMax = 1024;

  using End = std::variant<PipeReader, PipeWriter>;

  explicit PipeTable(Loop& loop) : loop_(loop) {}
  PipeTable(const PipeTable&) = delete;
  PipeTable& operator=(const PipeTable&) = delete;
  ~PipeTable();

  Loop& loop() const { return loop_; }
  Result<std::uint32_t> push(End end);
  // Fail for a number that is not on its way, or whose pipe is of another kind or direction.
  Result<PipeReader> take_reader(std::uint32_t number, PipeKind kind);
  Result<PipeWriter> take_writer(std::uint32_t number, PipeKind kind);
  // Drops an end that nobody took. Nothing happens when somebody did.
  void forget(std::uint32_t number);
  std::size_t waiting() const { return waiting_.size(); }

  // For the engine: an end comes to the guest's side, or leaves it.
  Result<void> enter_guest();
  void leave_guest() { --inside_; }
  std::uint32_t inside() const { return inside_; }
  // For the engine: the guest is ending. Ends on their way are dropped, and writers that it leaves
  // open from here on were cut off.
  void end_guest();
  bool ended() const { return ended_; }

 private:
  struct Waiting {
    std::uint32_t number;
    End end;
  };
  Result<End> take(std::uint32_t number);

  Loop& loop_;
  std::vector<Waiting> waiting_;
  std::uint32_t next_ = 1;
  std::uint32_t inside_ = 0;
  bool ended_ = false;
};

}  // namespace weft
