// Shows that streams cross a socket as they were written, in bounded memory, and end as they were
// ended, on both sides.

#include "provider/streams.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>

#include "door/stream.h"
#include "io/loop.h"
#include "io/test_task.h"

namespace weft::provider {
namespace {

constexpr std::chrono::seconds kPatience{60};

// One side of a connection that carries nothing but streams.
class Side : public ChannelOwner {
 public:
  Side(Loop& loop, int socket, Streams::Side side)
      : streams(loop, side), channel(Channel::open(loop, Fd(socket), *this)) {
    streams.open(*channel);
  }
  ~Side() override {
    streams.fail(Error(Errc::kUnavailable, "over"));
    channel->close();
  }
  Result<Buffer*> body_of(const FrameHead&) override { return nullptr; }
  Result<void> frame(const FrameHead& head, BytesView body) override {
    if (head.kind == FrameKind::kData) bytes += body.size();
    return streams.frame(head, body);
  }
  void broken(Error error) override {
    problem = error.message();
    streams.fail(error);
  }

  Streams streams;
  std::shared_ptr<Channel> channel;
  std::uint64_t bytes = 0;
  std::string problem;
};

class StreamsTest : public ::testing::Test {
 protected:
  StreamsTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    host_ = std::make_unique<Side>(loop_, ends[0], Streams::Side::kHost);
    peer_ = std::make_unique<Side>(loop_, ends[1], Streams::Side::kProvider);
  }
  template <class Done>
  bool until(Done done) {
    Deadline patience = Deadline::after(kPatience);
    while (!done()) {
      if (patience.passed()) return false;
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  void settle() {
    for (int i = 0; i < 50; ++i) {
      loop_.context().restart();
      loop_.context().poll();
    }
  }
  template <class T>
  Result<T> run(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  // A pipe whose reading end is across the socket.
  std::pair<PipeReader, PipeWriter> across(PipeKind kind) {
    auto [reader, writer] = Pipe::make(loop_, kind);
    std::uint32_t id = *host_->streams.give(std::move(reader));
    EXPECT_EQ(id % 2, 1U);
    return {*peer_->streams.take_reader(id, kind), std::move(writer)};
  }
  std::size_t open() { return host_->streams.open_count() + peer_->streams.open_count(); }

  Loop loop_;
  std::unique_ptr<Side> host_;
  std::unique_ptr<Side> peer_;
};

TEST_F(StreamsTest, CarryBytesWithoutEndInBoundedMemory) {
  auto [reader, writer] = across(PipeKind::kBytes);
  // Nobody reads: what crosses is bounded.
  Bytes piece(Pipe::kBytesMax, 1);
  for (int i = 0; i < 100; ++i) {
    writer.write(piece);
    settle();
  }
  EXPECT_LE(peer_->bytes, kStreamWindow + Pipe::kBytesMax);
  std::uint64_t written = peer_->bytes + Pipe::kBytesMax - writer.room();
  // Read, it goes on: 300 MB pass.
  constexpr std::uint64_t kTotal = 300'000'000;
  std::uint64_t read = 0;
  ASSERT_TRUE(until([&] {
    while (written < kTotal && writer.room() > 0) {
      written += writer.write(
          BytesView(piece).first(std::min<std::uint64_t>(piece.size(), kTotal - written)));
    }
    if (written == kTotal) writer.finish();
    while (reader.state() == PipeState::kData) {
      read += reader.view().size();
      reader.take(reader.view().size());
    }
    return reader.state() == PipeState::kEnd;
  }));
  EXPECT_EQ(read, kTotal);
  EXPECT_EQ(open(), 0U);
}

TEST_F(StreamsTest, CarryItemsOfEverySize) {
  auto [reader, writer] = across(PipeKind::kItems);
  std::vector<std::size_t> sizes = {0, 1, 3, 65'531, 65'532, 65'533, 1'000'000, 0, 200'000, 7};
  for (int i = 0; i < 3'000; ++i) sizes.push_back(static_cast<std::size_t>(i % 5));
  std::size_t put = 0;
  std::size_t got = 0;
  ASSERT_TRUE(until([&] {
    while (put < sizes.size() && writer.room() > 0) {
      writer.write_item(Bytes(sizes[put], static_cast<std::uint8_t>(put)));
      if (++put == sizes.size()) writer.finish();
    }
    while (reader.state() == PipeState::kData) {
      EXPECT_EQ(reader.view().size(), sizes[got]);
      if (!reader.view().empty()) {
        EXPECT_EQ(reader.view().back(), static_cast<std::uint8_t>(got));
      }
      reader.take(1);
      ++got;
    }
    return reader.state() == PipeState::kEnd;
  }));
  EXPECT_EQ(got, sizes.size());
  EXPECT_EQ(open(), 0U);
}

TEST_F(StreamsTest, CarryAFuture) {
  auto [reader, writer] = across(PipeKind::kOne);
  writer.write_item(Bytes{4, 2});
  EXPECT_EQ(run(reader.readable(Deadline::after(kPatience))), true);
  EXPECT_EQ(reader.view().size(), 2U);
  EXPECT_TRUE(until([&] { return open() == 0; }));
}

TEST_F(StreamsTest, GiveTheWritingEndAway) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  std::uint32_t id = *host_->streams.give(std::move(writer));
  PipeWriter theirs = *peer_->streams.take_writer(id, PipeKind::kBytes);
  theirs.write(as_bytes("from afar"));
  theirs.finish();
  ByteReader in(std::move(reader));
  auto all = run(in.read_all(100, Deadline::after(kPatience)));
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(as_text(*all), "from afar");
  EXPECT_TRUE(until([&] { return open() == 0; }));
}

TEST_F(StreamsTest, TellOfReadersThatGoAndWritersThatFail) {
  {
    auto [reader, writer] = across(PipeKind::kBytes);
    reader = PipeReader();
    EXPECT_TRUE(until([&] { return writer.abandoned(); }));
  }
  {
    auto [reader, writer] = across(PipeKind::kBytes);
    writer.fail(Error(Errc::kFull, "no room"));
    auto read = run(reader.readable(Deadline::after(kPatience)));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), Errc::kFull);
    EXPECT_EQ(read.error().message(), "no room");
  }
  {
    auto [reader, writer] = across(PipeKind::kOne);
    writer = PipeWriter();
    EXPECT_FALSE(run(reader.readable(Deadline::after(kPatience))));
  }
  EXPECT_TRUE(until([&] { return open() == 0; }));
}

TEST_F(StreamsTest, EndWithTheConnection) {
  auto [reader, writer] = across(PipeKind::kBytes);
  host_.reset();
  EXPECT_TRUE(until([&] { return reader.state() == PipeState::kFailed; }));
  EXPECT_TRUE(writer.abandoned());
}

TEST_F(StreamsTest, EndWithACallThatFails) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  std::uint32_t id = *host_->streams.give(std::move(reader));
  host_->streams.settle(id);
  EXPECT_TRUE(writer.abandoned());
  EXPECT_EQ(open(), 0U);
  // One that the other side has taken goes on.
  auto [theirs, ours] = across(PipeKind::kBytes);
  settle();
  host_->streams.settle(id + 2);
  EXPECT_EQ(open(), 2U);
}

TEST_F(StreamsTest, RefuseNumbersThatAreNotTheirs) {
  EXPECT_FALSE(peer_->streams.take_reader(0, PipeKind::kBytes));
  EXPECT_FALSE(peer_->streams.take_reader(2, PipeKind::kBytes));
  auto first = peer_->streams.take_reader(1, PipeKind::kBytes);
  ASSERT_TRUE(first);
  EXPECT_FALSE(peer_->streams.take_reader(1, PipeKind::kBytes));
  EXPECT_FALSE(peer_->streams.take_writer(1, PipeKind::kBytes));
}

TEST_F(StreamsTest, BreakWithWhoSendsBeyondItsCredit) {
  auto [reader, writer] = Pipe::make(loop_, PipeKind::kBytes);
  std::uint32_t id = *host_->streams.give(std::move(writer));
  Bytes piece(kBodyMax);
  // A window, what the pipe holds, and more.
  for (int i = 0; i < 5; ++i) peer_->channel->send({.kind = FrameKind::kData, .id = id}, piece);
  EXPECT_TRUE(until([&] { return !host_->problem.empty(); }));
  EXPECT_NE(host_->problem.find("has credit for"), std::string::npos) << host_->problem;
  EXPECT_EQ(reader.state(), PipeState::kData);
}

}  // namespace
}  // namespace weft::provider
