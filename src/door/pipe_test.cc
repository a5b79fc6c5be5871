// Shows that a pipe holds its bound and no more, that each end hears how the other one ended, and
// that either may go first; and that a table hands ends over once, as what they are.

#include "door/pipe.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "io/loop.h"

namespace weft {
namespace {

namespace asio = boost::asio;
using enum PipeState;

class PipeTest : public ::testing::Test {
 protected:
  void poll() {
    loop_.context().restart();
    loop_.context().poll();
  }
  // Starts a task; what comes of it will be in `out`.
  template <class T>
  void start(Task<T> task, std::optional<Result<T>>& out) {
    asio::co_spawn(loop_.executor(), std::move(task),
                   asio::bind_cancellation_slot(
                       stop_.slot(), [&out](std::exception_ptr thrown, Result<T> result) {
                         EXPECT_EQ(thrown, nullptr);
                         out.emplace(std::move(result));
                       }));
    poll();
  }
  void run_until(const std::function<bool()>& done) {
    Deadline patience = Deadline::after(std::chrono::seconds(20));
    while (!done() && !patience.passed()) {
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(done());
  }

  Loop loop_;
  asio::cancellation_signal stop_;
};

TEST_F(PipeTest, BytesComeOutAsTheyWentIn) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  EXPECT_EQ(reader.state(), kNothingYet);
  EXPECT_EQ(writer.write(as_bytes("hello ")), 6u);
  EXPECT_EQ(writer.write(as_bytes("world")), 5u);
  EXPECT_EQ(as_text(reader.view()), "hello world");
  reader.take(3);
  EXPECT_EQ(as_text(reader.view()), "lo world");
  writer.finish();
  EXPECT_EQ(reader.state(), kData) << "the end comes after what was written";
  reader.take(8);
  EXPECT_EQ(reader.state(), kEnd);
}

// A writer that does not wait writes no more than the bound, whatever the sizes of the pieces.
TEST_F(PipeTest, HoldsItsBoundAndNoMore) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  std::size_t sent = 0;
  std::size_t got = 0;
  for (int round = 0; round < 500; ++round) {
    Bytes piece(1 + static_cast<std::size_t>(round) * 37 % 5'000);
    for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<std::uint8_t>(sent + i);
    sent += writer.write(piece);
    ASSERT_LE(sent - got, Pipe::kBytesMax);
    if (round % 3 != 0) continue;
    BytesView view = reader.view().first(reader.view().size() / 2);
    for (std::uint8_t byte : view) ASSERT_EQ(byte, static_cast<std::uint8_t>(got++));
    reader.take(view.size());
  }
  EXPECT_EQ(writer.write(Bytes(2 * Pipe::kBytesMax)), Pipe::kBytesMax - (sent - got));
  EXPECT_EQ(writer.room(), 0u);
  EXPECT_EQ(writer.write(Bytes(1)), 0u);
}

TEST_F(PipeTest, ItemsKeepTheirLimits) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kItems);
  EXPECT_EQ(writer.room(), 15u) << "as if items had 4 KiB";
  writer.write_item(as_bytes("one"));
  writer.write_item({});
  writer.write_item(as_bytes("three"));
  EXPECT_EQ(writer.room(), Pipe::kItemsMax - 3) << "small items are many";
  EXPECT_EQ(as_text(reader.view()), "one");
  reader.take(1);
  EXPECT_EQ(reader.state(), kData) << "an empty item is an item";
  EXPECT_TRUE(reader.view().empty());
  reader.take(1);
  writer.write_item(Bytes(Pipe::kBytesMax * 2));
  EXPECT_EQ(writer.room(), 0u);
  EXPECT_EQ(as_text(reader.view()), "three");
  reader.take(1);
  EXPECT_EQ(reader.view().size(), Pipe::kBytesMax * 2);
  reader.take(1);
  EXPECT_EQ(writer.room(), 1u) << "as large as the largest";
  EXPECT_EQ(reader.state(), kNothingYet);
}

TEST_F(PipeTest, ItemsWithoutContentAreBoundedToo) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kItems);
  std::size_t count = 0;
  while (writer.room() > 0) {
    writer.write_item({});
    ++count;
  }
  EXPECT_EQ(count, Pipe::kItemsMax);
}

TEST_F(PipeTest, OneIsOne) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kOne);
  EXPECT_EQ(writer.room(), 1u);
  writer.write_item(as_bytes("the value"));
  EXPECT_EQ(writer.room(), 0u);
  writer = PipeWriter();
  EXPECT_EQ(reader.state(), kData) << "its writer is done, not gone";
  reader.take(1);
  EXPECT_EQ(reader.state(), kEnd);
}

TEST_F(PipeTest, EachEndHearsHowTheOtherEnded) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  writer.write(as_bytes("x"));
  writer.fail(Error(Errc::kIo, "the disk"));
  reader.take(1);
  ASSERT_EQ(reader.state(), kFailed);
  EXPECT_EQ(reader.error().message(), "the disk");

  auto [left, dropped] = Pipe::make(loop_, PipeKind::kBytes);
  dropped = PipeWriter();
  ASSERT_EQ(left.state(), kFailed) << "half is not the whole";

  auto [gone, alone] = Pipe::make(loop_, PipeKind::kBytes);
  alone.write(as_bytes("x"));
  gone = PipeReader();
  EXPECT_TRUE(alone.abandoned());
  EXPECT_EQ(alone.write(Bytes(1'000'000)), 1'000'000u) << "it goes nowhere";
}

// The writer sleeps until half of the pipe is free; a waiter is called once.
TEST_F(PipeTest, WaitersAreCalledOnce) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  int data = 0;
  int room = 0;
  reader.wait([&] { ++data; });
  writer.write(Bytes(Pipe::kBytesMax));
  writer.finish();
  EXPECT_EQ(data, 1);
  writer.wait([&] { ++room; });
  reader.take(10);
  EXPECT_EQ(room, 0);
  reader.take(Pipe::kBytesMax / 2);
  EXPECT_EQ(room, 1);
  writer.wait([&] { ++room; });
  reader = PipeReader();
  EXPECT_EQ(room, 2) << "the reader's going is told";
}

TEST_F(PipeTest, TasksWaitForDataAndForRoom) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  std::optional<Result<bool>> readable;
  start(reader.readable(Deadline::never()), readable);
  EXPECT_FALSE(readable);
  writer.write(Bytes(Pipe::kBytesMax));
  EXPECT_FALSE(readable) << "nobody is resumed inside the writer's call";
  poll();
  ASSERT_TRUE(readable);
  EXPECT_TRUE(**readable);
  std::optional<Result<void>> writable;
  start(writer.writable(Deadline::never()), writable);
  EXPECT_FALSE(writable);
  reader.take(Pipe::kBytesMax);
  poll();
  ASSERT_TRUE(writable);
  EXPECT_TRUE(*writable);
  readable.reset();
  start(reader.readable(Deadline::never()), readable);
  writer.finish();
  poll();
  ASSERT_TRUE(readable);
  EXPECT_FALSE(**readable);
}

TEST_F(PipeTest, WaitsEnd) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  std::optional<Result<bool>> late;
  start(reader.readable(Deadline::after(std::chrono::milliseconds(20))), late);
  run_until([&] { return late.has_value(); });
  EXPECT_EQ(late->error().code(), Errc::kTimeout);

  std::optional<Result<bool>> stopped;
  start(reader.readable(Deadline::never()), stopped);
  stop_.emit(asio::cancellation_type::all);
  poll();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->error().code(), Errc::kCancelled);

  std::optional<Result<bool>> left;
  start(reader.readable(Deadline::never()), left);
  reader = PipeReader();
  poll();
  ASSERT_TRUE(left);
  EXPECT_EQ(left->error().code(), Errc::kCancelled) << "its own end was dropped";

  std::optional<Result<void>> alone;
  start(writer.writable(Deadline::never()), alone);
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->error().code(), Errc::kCancelled);
}

TEST_F(PipeTest, ATableHandsOverOnceAndByKind) {
  PipeTable table(loop_);
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kItems);
  Result<std::uint32_t> number = table.push(std::move(reader));
  ASSERT_TRUE(number);
  EXPECT_FALSE(table.take_reader(*number + 1, PipeKind::kItems));
  Result<PipeReader> taken = table.take_reader(*number, PipeKind::kItems);
  ASSERT_TRUE(taken);
  writer.write_item(as_bytes("hi"));
  EXPECT_EQ(as_text(taken->view()), "hi");
  EXPECT_FALSE(table.take_reader(*number, PipeKind::kItems)) << "taken already";

  auto [second, held] = Pipe::make(loop_, PipeKind::kItems);
  number = table.push(std::move(second));
  EXPECT_FALSE(table.take_writer(*number, PipeKind::kItems));
  EXPECT_TRUE(held.abandoned()) << "an end taken as what it is not is gone";
  number = table.push(Pipe::make(loop_, PipeKind::kItems).writer);
  EXPECT_FALSE(table.take_writer(*number, PipeKind::kBytes));
  EXPECT_EQ(table.waiting(), 0u);
}

TEST_F(PipeTest, ATableIsBoundedAndDropsWhatNobodyTook) {
  PipeWriter writer;
  {
    PipeTable table(loop_);
    auto ends = Pipe::make(loop_, PipeKind::kBytes);
    writer = std::move(ends.writer);
    Result<std::uint32_t> number = table.push(std::move(ends.reader));
    std::vector<PipeWriter> others;
    while (table.waiting() < PipeTable::kPipesMax) {
      auto more = Pipe::make(loop_, PipeKind::kBytes);
      others.push_back(std::move(more.writer));
      ASSERT_TRUE(table.push(std::move(more.reader)));
    }
    Result<std::uint32_t> full = table.push(Pipe::make(loop_, PipeKind::kBytes).reader);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code(), Errc::kLimit);
    table.forget(*number + 1);
    EXPECT_TRUE(others[0].abandoned());
    EXPECT_FALSE(writer.abandoned());
  }
  EXPECT_TRUE(writer.abandoned());
}

}  // namespace
}  // namespace weft
