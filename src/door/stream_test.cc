// Shows the typed ends that drivers use: items and bytes of any type through a pipe, a writer that
// waits for its reader, and how streams cross as arguments and results of calls.

#include "door/stream.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "door/answer.h"
#include "door/testing.h"
#include "door/values.h"
#include "io/loop.h"
#include "io/test_task.h"

namespace weft {
namespace {

class StreamTest : public ::testing::Test {
 protected:
  template <class T>
  Result<T> run(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  template <class T>
  T value(Task<T> task) {
    Result<T> result = run(std::move(task));
    EXPECT_TRUE(result) << result.error().message();
    return result ? *std::move(result) : T();
  }

  Loop loop_;
  Context context_{loop_, "shop", "cart"};
  Deadline never_ = Deadline::never();
};

using Row = std::tuple<std::string, std::vector<std::uint32_t>>;

Task<void> write_rows(StreamWriter<Row> out, std::uint32_t count, std::uint32_t* written) {
  for (std::uint32_t i = 0; i < count; ++i) {
    CO_TRY_VOID(co_await out.write(Row(std::string(100, 'x'), {i, i}), Deadline::never()));
    ++*written;
  }
  out.finish();
  co_return Result<void>();
}

// A writer of many items is never further ahead than the pipe's bound.
TEST_F(StreamTest, AWriterWaitsForItsReader) {
  auto [stream, writer] = Stream<Row>::make(loop_);
  std::uint32_t written = 0;
  loop_.spawn(write_rows(std::move(writer), 3'000, &written));
  std::uint32_t read = 0;
  while (auto row = value(stream.next(never_))) {
    ASSERT_EQ(std::get<1>(*row), (std::vector<std::uint32_t>{read, read}));
    ++read;
    ASSERT_LE(written, read + Pipe::kBytesMax / 100 + 1);
  }
  EXPECT_EQ(read, 3'000u);
}

TEST_F(StreamTest, BytesAreReadInPartsOrWhole) {
  auto [stream, writer] = Stream<std::uint8_t>::make(loop_);
  Bytes sent(300'000);
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<std::uint8_t>(i * 7);
  auto send = [](StreamWriter<std::uint8_t> out, Bytes bytes) -> Task<void> {
    CO_TRY_VOID(co_await out.write(std::move(bytes), Deadline::never()));
    out.finish();
    co_return Result<void>();
  };
  loop_.spawn(send(std::move(writer), sent));
  Bytes first = value(stream.read(100, never_));
  EXPECT_EQ(first.size(), 100u);
  Bytes rest = value(stream.read_all(sent.size(), never_));
  first.insert(first.end(), rest.begin(), rest.end());
  EXPECT_EQ(first, sent);
  EXPECT_TRUE(value(stream.read(100, never_)).empty());
}

TEST_F(StreamTest, ReadingAllIsBounded) {
  auto [stream, writer] = Stream<std::uint8_t>::make(loop_);
  writer.end().write(Bytes(101));
  auto all = run(stream.read_all(100, never_));
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), Errc::kLimit);
}

TEST_F(StreamTest, FuturesHaveOneValueOrFail) {
  auto [future, writer] = Future<std::string>::make(loop_);
  ASSERT_TRUE(writer.set("done"));
  EXPECT_EQ(value(future.get(never_)), "done");
  EXPECT_EQ(run(future.get(never_)).error().code(), Errc::kInvalid);

  auto [broken, failing] = Future<std::string>::make(loop_);
  failing.fail(Error(Errc::kIo, "the disk"));
  EXPECT_EQ(run(broken.get(never_)).error().message(), "the disk");

  auto [bell, ring] = Future<>::make(loop_);
  ASSERT_TRUE(ring.set({}));
  EXPECT_TRUE(run(bell.get(never_)));
}

TEST_F(StreamTest, AnItemOfTheWrongTypeFails) {
  auto [stream, writer] = Stream<std::string>::make(loop_);
  writer.end().write_item(as_bytes("\x05zz"));
  EXPECT_FALSE(run(stream.next(never_)));
}

// Each kind crosses as a number of the context's table, once; wasi:io's output is the end one
// writes to.
TEST_F(StreamTest, EndsCrossByNumber) {
  Buffer bytes;
  Writer out(bytes, &context_.resources());
  auto [stream, writer] = Stream<std::string>::make(loop_);
  auto [output, written] = OutputPipe::make(loop_);
  auto [input, to_read] = InputPipe::make(loop_);
  std::expected<OutputPipe, std::string> result = std::move(output);
  out.write(stream);
  out.write(result);
  out.write(input);
  ASSERT_TRUE(out.end());
  EXPECT_EQ(context_.pipes().waiting(), 3u);

  Reader in(bytes.view(), &context_.resources());
  auto there = in.read<Stream<std::string>>();
  auto to_write = in.read<std::expected<OutputPipe, std::string>>();
  auto body = in.read<InputPipe>();
  ASSERT_TRUE(in.end());
  EXPECT_EQ(context_.pipes().waiting(), 0u);
  ASSERT_TRUE(writer.try_write("across").value_or(false));
  EXPECT_EQ(value(there.next(never_)), "across");
  ASSERT_TRUE(run(to_write->write(to_bytes("out"), never_)));
  EXPECT_EQ(value(written.read(10, never_)), to_bytes("out"));
  to_read.finish();
  EXPECT_TRUE(value(body.read(10, never_)).empty());

  Reader again(bytes.view(), &context_.resources());
  again.read<Stream<std::string>>();
  EXPECT_FALSE(again.end()) << "a number is used once";
  Reader nowhere(bytes.view());
  nowhere.read<Stream<std::string>>();
  EXPECT_FALSE(nowhere.end()) << "there is no table";
}

TEST_F(StreamTest, AWrongKindFails) {
  Buffer bytes;
  Writer out(bytes, &context_.resources());
  auto [stream, writer] = Stream<std::string>::make(loop_);
  out.write(stream);
  Reader in(bytes.view(), &context_.resources());
  in.read<Stream<std::uint8_t>>();
  EXPECT_FALSE(in.end());
  Stream<std::string> empty;
  out.write(empty);
  EXPECT_FALSE(out.end()) << "an end that is not there";
}

}  // namespace
}  // namespace weft
