#include "door/pipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "base/check.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft {

namespace asio = boost::asio;

namespace detail {

// What the two ends share. An item lies behind its length.
struct PipeCore {
  using Length = std::uint32_t;
  // How large items are taken to be before one was seen.
  static constexpr std::size_t kItemGuess = 4 * 1024;

  PipeCore(Loop& on, PipeKind carries) : loop(on), kind(carries) {}

  std::size_t held() const { return data.size() - head; }
  bool empty() const { return kind == PipeKind::kBytes ? held() == 0 : items == 0; }

  Length length() const {
    Length length = 0;
    std::memcpy(&length, data.data() + head, sizeof(length));
    return length;
  }

  std::size_t room() const {
    if (kind == PipeKind::kOne) return items == 0 && open ? 1 : 0;
    std::size_t left = held() < Pipe::kBytesMax ? Pipe::kBytesMax - held() : 0;
    if (kind == PipeKind::kBytes || left == 0 || items >= Pipe::kItemsMax) {
      return items >= Pipe::kItemsMax ? 0 : left;
    }
    // As many as fit if they are as large as the largest so far.
    std::size_t each = (largest == 0 ? kItemGuess : largest) + sizeof(Length);
    return std::clamp<std::size_t>(left / each, 1, Pipe::kItemsMax - items);
  }

  void append(BytesView bytes) {
    if (head >= Pipe::kBytesMax / 2) {
      std::memmove(data.data(), data.data() + head, held());
      data.resize_down(held());
      head = 0;
    }
    data.append(bytes);
  }

  void remove(std::size_t count) {
    CHECK(count <= held());
    head += count;
    if (head < data.size()) return;
    data.clear();
    head = 0;
  }

  static void wake(PipeWaiter& waiter) {
    if (auto woken = std::exchange(waiter, nullptr)) woken();
  }
  // The writer is woken when half is free, so that it does not run for every byte.
  void wake_writer() {
    if (held() <= Pipe::kBytesMax / 2 && items <= Pipe::kItemsMax / 2) wake(on_room);
  }

  Task<void> wait(PipeWaiter PipeCore::* place, Deadline deadline);

  Loop& loop;
  const PipeKind kind;
  std::uint32_t refs = 0;
  Buffer data;
  std::size_t head = 0;
  std::size_t items = 0;
  std::size_t largest = 0;
  bool open = true;  // The writer may still write.
  bool read = true;  // Somebody still reads.
  std::optional<Error> error;
  PipeWaiter on_data;
  PipeWaiter on_room;
};

PipeRef::PipeRef(PipeCore* core) : core_(core) {
  if (core_ != nullptr) ++core_->refs;
}
PipeRef::~PipeRef() {
  if (core_ != nullptr && --core_->refs == 0) delete core_;
}

namespace {

// Resumes a task that waits at one end: when the other end moves, at its deadline, or when it is
// stopped. Always by way of the turn's end, never from inside a call of the other end.
class Resumption {
 public:
  Resumption(Loop& loop, PipeWaiter& place)
      : loop_(loop), place_(place), timer_(loop, [this] {
          late_ = true;
          go();
        }) {
    CHECK(!place_);
  }
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;
  ~Resumption() { place_ = nullptr; }

  Task<void> wait(Deadline deadline) {
    if (!deadline.is_never()) timer_.arm(deadline);
    auto start = [this](auto handler) {
      asio::cancellation_slot stop = asio::get_associated_cancellation_slot(handler);
      if (stop.is_connected()) {
        stop.assign([this](asio::cancellation_type) {
          stopped_ = true;
          go();
        });
      }
      resume_ = [handler = std::move(handler)]() mutable { std::move(handler)(); };
      place_ = [this] { go(); };
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start,
                                                                         asio::use_awaitable);
    if (stopped_)
      co_return failure(Errc::kCancelled, "the task that waited for a pipe was stopped");
    if (late_) co_return failure(Errc::kTimeout, "a pipe did not move before the deadline");
    co_return Result<void>();
  }

 private:
  void go() {
    if (auto resume = std::exchange(resume_, nullptr)) loop_.defer(std::move(resume));
  }

  Loop& loop_;
  PipeWaiter& place_;
  Timer timer_;
  std::move_only_function<void()> resume_;
  bool late_ = false;
  bool stopped_ = false;
};

}  // namespace

Task<void> PipeCore::wait(PipeWaiter PipeCore::* place, Deadline deadline) {
  PipeRef keep(this);
  Resumption resumption(loop, this->*place);
  co_return co_await resumption.wait(deadline);
}

}  // namespace detail

using detail::PipeCore;
using detail::PipeRef;

Pipe::Ends Pipe::make(Loop& loop, PipeKind kind) {
  PipeRef core(new PipeCore(loop, kind));
  PipeRef other = core;
  return {PipeReader(std::move(core)), PipeWriter(std::move(other))};
}

PipeReader& PipeReader::operator=(PipeReader&& other) noexcept {
  if (this == &other) return *this;
  close();
  core_ = std::move(other.core_);
  return *this;
}
PipeReader::~PipeReader() {
  close();
}
void PipeReader::close() {
  if (!core_) return;
  PipeRef last = std::move(core_);
  last->read = false;
  last->data = Buffer();
  last->head = last->items = 0;
  PipeCore::wake(last->on_data);
  PipeCore::wake(last->on_room);
}

PipeKind PipeReader::kind() const {
  return core_->kind;
}
PipeState PipeReader::state() const {
  if (!core_->empty()) return PipeState::kData;
  if (core_->error) return PipeState::kFailed;
  return core_->open ? PipeState::kNothingYet : PipeState::kEnd;
}

BytesView PipeReader::view() const {
  BytesView all = core_->data.view().subspan(core_->head);
  if (core_->kind == PipeKind::kBytes) return all;
  CHECK(core_->items > 0);
  return all.subspan(sizeof(PipeCore::Length), core_->length());
}

void PipeReader::take(std::size_t count) {
  if (core_->kind != PipeKind::kBytes) {
    CHECK(core_->items > 0);
    count = sizeof(PipeCore::Length) + core_->length();
    --core_->items;
  }
  core_->remove(count);
  core_->wake_writer();
}

const Error& PipeReader::error() const {
  return *core_->error;
}
void PipeReader::wait(PipeWaiter waiter) {
  core_->on_data = std::move(waiter);
}

Task<bool> PipeReader::readable(Deadline deadline) {
  PipeRef core = core_;
  while (core->empty() && core->open && core->read) {
    CO_TRY_VOID(co_await core->wait(&PipeCore::on_data, deadline));
  }
  if (!core->read) co_return failure(Errc::kCancelled, "the reader was dropped");
  if (!core->empty()) co_return true;
  if (core->error) co_return std::unexpected(*core->error);
  co_return false;
}

PipeWriter& PipeWriter::operator=(PipeWriter&& other) noexcept {
  if (this == &other) return *this;
  close();
  core_ = std::move(other.core_);
  return *this;
}
PipeWriter::~PipeWriter() {
  close();
}
void PipeWriter::close() {
  if (!core_) return;
  if (core_->open) fail(Error(Errc::kIo, "its writer was dropped before the end"));
  PipeRef last = std::move(core_);
  PipeCore::wake(last->on_room);
}

PipeKind PipeWriter::kind() const {
  return core_->kind;
}
std::size_t PipeWriter::room() const {
  return core_->room();
}
bool PipeWriter::abandoned() const {
  return !core_->read;
}

std::size_t PipeWriter::write(BytesView bytes) {
  CHECK(core_->kind == PipeKind::kBytes && core_->open);
  if (!core_->read || bytes.empty()) return bytes.size();
  std::size_t count = std::min(bytes.size(), core_->room());
  if (count == 0) return 0;
  core_->append(bytes.first(count));
  PipeCore::wake(core_->on_data);
  return count;
}

void PipeWriter::write_item(BytesView item) {
  CHECK(core_->kind != PipeKind::kBytes && core_->open);
  if (core_->kind == PipeKind::kOne) core_->open = false;
  if (!core_->read) return;
  auto length = static_cast<PipeCore::Length>(item.size());
  CHECK(length == item.size());
  core_->append({reinterpret_cast<const std::uint8_t*>(&length), sizeof(length)});
  core_->data.append(item);
  core_->largest = std::max(core_->largest, item.size());
  ++core_->items;
  PipeCore::wake(core_->on_data);
}

void PipeWriter::finish() {
  if (!core_->open) return;
  core_->open = false;
  PipeCore::wake(core_->on_data);
}

void PipeWriter::fail(Error error) {
  if (!core_->open) return;
  core_->open = false;
  core_->error = std::move(error);
  PipeCore::wake(core_->on_data);
}

void PipeWriter::wait(PipeWaiter waiter) {
  core_->on_room = std::move(waiter);
}

Task<void> PipeWriter::writable(Deadline deadline) {
  PipeRef core = core_;
  while (core->read && core->open && core->room() == 0) {
    CO_TRY_VOID(co_await core->wait(&PipeCore::on_room, deadline));
  }
  if (!core->read) co_return failure(Errc::kCancelled, "nobody reads this pipe any more");
  if (!core->open) co_return failure(Errc::kCancelled, "this end of the pipe is closed already");
  co_return Result<void>();
}

PipeTable::~PipeTable() {
  CHECK(inside_ == 0);
}

Result<std::uint32_t> PipeTable::push(End end) {
  if (waiting_.size() >= kPipesMax) {
    return failure(
        Errc::kLimit,
        fmt::format("{} streams and futures are on their way, and no more than {} may be",
                    waiting_.size(), kPipesMax));
  }
  std::uint32_t number = next_++;
  waiting_.push_back({number, std::move(end)});
  return number;
}

Result<PipeTable::End> PipeTable::take(std::uint32_t number) {
  auto found = std::ranges::find(waiting_, number, &Waiting::number);
  if (found == waiting_.end()) {
    return failure(Errc::kInvalid, fmt::format("no stream or future of number {} is on its way, or "
                                               "it was taken already",
                                               number));
  }
  End end = std::move(found->end);
  waiting_.erase(found);
  return end;
}

Result<PipeReader> PipeTable::take_reader(std::uint32_t number, PipeKind kind) {
  TRY(End end, take(number));
  auto* reader = std::get_if<PipeReader>(&end);
  if (reader != nullptr && reader->kind() == kind) return std::move(*reader);
  return failure(Errc::kInvalid, fmt::format("pipe {} is of another kind", number));
}

Result<PipeWriter> PipeTable::take_writer(std::uint32_t number, PipeKind kind) {
  TRY(End end, take(number));
  auto* writer = std::get_if<PipeWriter>(&end);
  if (writer != nullptr && writer->kind() == kind) return std::move(*writer);
  return failure(Errc::kInvalid, fmt::format("pipe {} is of another kind", number));
}

void PipeTable::forget(std::uint32_t number) {
  static_cast<void>(take(number));
}

void PipeTable::end_guest() {
  ended_ = true;
  waiting_.clear();
}

Result<void> PipeTable::enter_guest() {
  if (inside_ >= kPipesMax) {
    return failure(Errc::kLimit,
                   fmt::format("it has {} streams and futures open through the door, and no more "
                               "than {} may be",
                               inside_, kPipesMax));
  }
  ++inside_;
  return {};
}

}  // namespace weft
