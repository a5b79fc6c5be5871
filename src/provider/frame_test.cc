// Shows that frames come out as they went in, however their bytes are cut, and that what is no
// frame is refused.

#include "provider/frame.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace weft::provider {
namespace {

// Writes down what it gets; replies are read into a buffer.
class Notes : public FrameSink {
 public:
  Result<Buffer*> body_of(const FrameHead& head) override {
    return head.kind == FrameKind::kReply ? &replies : nullptr;
  }
  Result<void> frame(const FrameHead& head, BytesView body) override {
    notes += fmt::format("{} {} {} {} {} {}: {}\n", static_cast<unsigned>(head.kind), head.id,
                         head.number, head.amount, head.more, head.length, as_text(body));
    if (stop_after != nullptr) stop_after->stop();
    return {};
  }
  Buffer replies;
  std::string notes;
  FrameReader* stop_after = nullptr;
};

Bytes frame(FrameHead head, std::string_view body = {}) {
  head.length = static_cast<std::uint32_t>(body.size());
  Bytes out(kHeadSize);
  write_head(head, out.data());
  for (char c : body) out.push_back(static_cast<std::uint8_t>(c));
  return out;
}

TEST(Frame, HeadsHaveTheFormOfTheDocument) {
  Bytes bytes =
      frame({.kind = FrameKind::kCall, .id = 258, .number = 3, .amount = 4, .more = true}, "hello");
  EXPECT_EQ(bytes, (Bytes{5, 0, 0, 0, 4, 1, 0, 0, 2, 1,   0,   0,   3,   0,  0,
                          0, 4, 0, 0, 0, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'}));
}

TEST(Frame, ComeOutHoweverTheyAreCut) {
  Bytes all;
  std::string large(50'000, 'x');
  for (const Bytes& each :
       {frame({.kind = FrameKind::kReply, .id = 1, .more = true}, large),
        frame({.kind = FrameKind::kPong, .number = 9}),
        frame({.kind = FrameKind::kData, .id = 2}, "some bytes"),
        frame({.kind = FrameKind::kReply, .id = 1, .number = 2, .amount = 3}, "the end"),
        frame({.kind = FrameKind::kCredit, .id = 7, .amount = 1ULL << 40})}) {
    all.insert(all.end(), each.begin(), each.end());
  }
  std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  std::string first;
  for (int round = 0; round < 50; ++round) {
    Notes notes;
    FrameReader reader(notes);
    for (std::size_t at = 0; at < all.size();) {
      std::size_t most = round == 0 ? 1 : 1 + random() % (round % 2 == 0 ? 40 : 60'000);
      std::size_t count = std::min(most, all.size() - at);
      ASSERT_TRUE(reader.feed(BytesView(all).subspan(at, count)));
      at += count;
    }
    if (first.empty()) first = notes.notes;
    EXPECT_EQ(notes.notes, first);
    EXPECT_EQ(notes.replies.text(), large + "the end");
  }
  EXPECT_EQ(first,
            "5 1 0 0 true 50000: \n13 0 9 0 false 0: \n8 2 0 0 false 10: some bytes\n"
            "5 1 2 3 false 7: \n9 7 0 1099511627776 false 0: \n");
}

TEST(Frame, RefuseWhatIsNone) {
  auto refused = [](std::size_t at, std::uint8_t value) {
    Bytes bytes = frame({.kind = FrameKind::kPing});
    bytes[at] = value;
    Notes notes;
    FrameReader reader(notes);
    return !reader.feed(bytes);
  };
  EXPECT_TRUE(refused(4, 0));
  EXPECT_TRUE(refused(4, 14));
  EXPECT_TRUE(refused(5, 2));
  EXPECT_TRUE(refused(5, 1));  // A ping does not go on.
  EXPECT_TRUE(refused(6, 1));
  EXPECT_TRUE(refused(2, 2));  // 131,072 bytes.
  EXPECT_FALSE(refused(8, 255));
}

TEST(Frame, ForgetABufferThatIsGoing) {
  Notes notes;
  FrameReader reader(notes);
  Bytes bytes = frame({.kind = FrameKind::kReply}, "0123456789");
  ASSERT_TRUE(reader.feed(BytesView(bytes).first(kHeadSize + 4)));
  reader.forget(notes.replies);
  ASSERT_TRUE(reader.feed(BytesView(bytes).subspan(kHeadSize + 4)));
  EXPECT_EQ(notes.replies.text(), "0123");
}

TEST(Frame, NothingComesAfterStop) {
  Notes notes;
  FrameReader reader(notes);
  notes.stop_after = &reader;
  Bytes two = frame({.kind = FrameKind::kPing});
  two.insert(two.end(), two.begin(), two.begin() + kHeadSize);
  ASSERT_TRUE(reader.feed(two));
  EXPECT_EQ(notes.notes, "12 0 0 0 false 0: \n");
}

TEST(Frame, ErrorsHaveNumbersOfTheirOwn) {
  EXPECT_EQ(wire_number(Errc::kInvalid), 1U);
  EXPECT_EQ(wire_number(Errc::kInternal), 14U);
  EXPECT_EQ(code_of(7), Errc::kCancelled);
  EXPECT_EQ(code_of(0), Errc::kInternal);
  EXPECT_EQ(code_of(15), Errc::kInternal);
}

}  // namespace
}  // namespace weft::provider
