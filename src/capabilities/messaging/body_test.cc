// How a message's data go into a stream: at once where the pipe has room, otherwise as it is read;
// and what a reader finds when the message is over first.
#include "capabilities/messaging/body.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

#include "io/loop.h"

namespace weft::messaging {
namespace {

class BodyTest : public ::testing::Test {
 protected:
  static Bytes data(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    return bytes;
  }
  // What there is to read, until there is nothing for now.
  Bytes read(PipeReader& end) {
    Bytes all;
    while (end.state() == PipeState::kData) {
      BytesView view = end.view();
      all.insert(all.end(), view.begin(), view.end());
      end.take(view.size());
      poll();
    }
    return all;
  }
  void poll() {
    loop_.context().restart();
    loop_.context().poll();
  }

  Loop loop_;
};

TEST_F(BodyTest, WhatThePipeHasRoomForNeedsNobody) {
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, Pipe::kBytesMax}) {
    auto [stream, rest] = Body::make(loop_, data(size));
    EXPECT_EQ(rest, nullptr);
    EXPECT_EQ(read(stream.end()), data(size));
    EXPECT_EQ(stream.end().state(), PipeState::kEnd);
  }
}

TEST_F(BodyTest, TheRestFollowsAsItIsRead) {
  auto [stream, rest] = Body::make(loop_, data(300'000));
  ASSERT_NE(rest, nullptr);
  EXPECT_FALSE(rest->over());
  EXPECT_EQ(read(stream.end()), data(300'000));
  EXPECT_EQ(stream.end().state(), PipeState::kEnd);
  EXPECT_TRUE(rest->over());
}

TEST_F(BodyTest, NothingIsLeftWhenNobodyReadsAnyMore) {
  auto [stream, rest] = Body::make(loop_, data(300'000));
  stream.end() = PipeReader();
  poll();
  EXPECT_TRUE(rest->over());
}

TEST_F(BodyTest, OverBeforeItsEndTheStreamFails) {
  auto [stream, rest] = Body::make(loop_, data(300'000));
  rest.reset();
  EXPECT_EQ(read(stream.end()).size(), Pipe::kBytesMax);
  ASSERT_EQ(stream.end().state(), PipeState::kFailed);
  EXPECT_EQ(stream.end().error().code(), Errc::kCancelled);
}

TEST_F(BodyTest, OfThoseThatNobodyReadsSoManyAreKept) {
  UnreadBodies unread;
  std::vector<Stream<std::uint8_t>> streams;
  for (std::size_t i = 0; i < UnreadBodies::kMost; ++i) {
    EXPECT_FALSE(unread.full());
    auto [stream, rest] = Body::make(loop_, data(100'000));
    streams.push_back(std::move(stream));
    unread.keep(std::move(rest));
  }
  EXPECT_TRUE(unread.full());
  // One that is over makes room.
  streams[1] = Stream<std::uint8_t>();
  poll();
  EXPECT_FALSE(unread.full());
  auto [stream, rest] = Body::make(loop_, data(100'000));
  unread.keep(std::move(rest));
  EXPECT_TRUE(unread.full());
  // What was kept is read to its end.
  EXPECT_EQ(read(streams[0].end()), data(100'000));
  EXPECT_EQ(read(stream.end()), data(100'000));
  EXPECT_FALSE(unread.full());
}

}  // namespace
}  // namespace weft::messaging
