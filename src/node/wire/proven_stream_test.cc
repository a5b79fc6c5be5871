// Shows that a client believes only output that the node has signed, whole and in order, and that
// records are read whatever the pieces they come in.
#include "node/wire/proven_stream.h"

#include <gtest/gtest.h>

namespace weft::node {
namespace {

class ProvenStreamTest : public ::testing::Test {
 protected:
  using Position = ProvenStream::Position;

  ProvenStream stream(Position from) {
    return {node_.public_key(), request_, from,
            [this](OutputStream, BytesView bytes) { taken_ += as_text(bytes); }};
  }
  // Frames behind `at`, which moves.
  Bytes frames(Position& at, std::initializer_list<std::string_view> texts) {
    Bytes out;
    for (std::string_view text : texts) {
      append_frame(out, OutputStream::kStdout, as_bytes(text));
      at = {at.frames + 1, next_chain(at.chain, 1, as_bytes(text))};
    }
    return out;
  }
  Bytes seal(const Position& at, const SigningKey& key) {
    Bytes out;
    append_record(out, RecordType::kSeal, sign(Seal{request_, at.frames, at.chain}, key));
    return out;
  }
  Bytes receipt(const Position& at) {
    Bytes out;
    Receipt said{.request = request_, .frames = at.frames, .chain = at.chain};
    append_record(out, RecordType::kReceipt, sign(said, node_));
    return out;
  }
  static Result<void> feed(ProvenStream& stream, BytesView bytes, std::size_t piece = 1 << 20) {
    RecordReader reader;
    while (!bytes.empty()) {
      std::size_t count = std::min(piece, bytes.size());
      reader.add(bytes.first(count));
      bytes = bytes.subspan(count);
      for (;;) {
        TRY(auto record, reader.next());
        if (!record) break;
        TRY_VOID(stream.take(*record));
      }
    }
    return {};
  }

  SigningKey node_ = SigningKey::random();
  Hash request_ = Hash::of(as_bytes("request"));
  std::string taken_;
};

TEST_F(ProvenStreamTest, HandsOnWhatIsSealedAndNothingElse) {
  Position at = ProvenStream::beginning(request_);
  auto proven = stream(at);
  ASSERT_TRUE(feed(proven, frames(at, {"a", "b"})));
  EXPECT_EQ(taken_, "");
  ASSERT_TRUE(feed(proven, seal(at, node_)));
  EXPECT_EQ(taken_, "ab");
  // A second seal of the same says that the node is still there.
  ASSERT_TRUE(feed(proven, seal(at, node_)));
  ASSERT_TRUE(feed(proven, frames(at, {"c"})));
  ASSERT_TRUE(feed(proven, receipt(at)));
  EXPECT_EQ(taken_, "abc");
  ASSERT_TRUE(proven.receipt().has_value());
  EXPECT_EQ(proven.receipt()->frames, 3u);
  EXPECT_FALSE(feed(proven, frames(at, {"d"})));
}

TEST_F(ProvenStreamTest, TakesBytesInAnyPieces) {
  Position at = ProvenStream::beginning(request_);
  auto proven = stream(at);
  Bytes all = frames(at, {"one ", "", "three"});
  Bytes last = receipt(at);
  all.insert(all.end(), last.begin(), last.end());
  ASSERT_TRUE(feed(proven, all, 1));
  EXPECT_EQ(taken_, "one three");
}

TEST_F(ProvenStreamTest, GoesOnWhereItBroke) {
  Position at = ProvenStream::beginning(request_);
  auto first = stream(at);
  ASSERT_TRUE(feed(first, frames(at, {"a"})));
  ASSERT_TRUE(feed(first, seal(at, node_)));
  Position lost = at;
  ASSERT_TRUE(feed(first, frames(lost, {"b"})));
  auto second = stream(first.proven());
  ASSERT_TRUE(feed(second, frames(at, {"b", "c"})));
  ASSERT_TRUE(feed(second, receipt(at)));
  EXPECT_EQ(taken_, "abc");
}

TEST_F(ProvenStreamTest, BelievesNoOtherOrderBytesKeyOrRun) {
  auto refused = [this](auto&& change) {
    Position at = ProvenStream::beginning(request_);
    auto proven = stream(at);
    Bytes bytes = change(at);
    return !feed(proven, bytes) && taken_.empty();
  };
  EXPECT_TRUE(refused([&](Position& at) {  // Swapped frames.
    Position right = at;
    frames(right, {"a", "b"});
    Bytes bytes = frames(at, {"b", "a"});
    Bytes end = seal(right, node_);
    bytes.insert(bytes.end(), end.begin(), end.end());
    return bytes;
  }));
  EXPECT_TRUE(refused([&](Position& at) {  // One left out.
    Position right = at;
    frames(right, {"a", "b"});
    Bytes bytes = frames(at, {"a"});
    Bytes end = receipt(right);
    bytes.insert(bytes.end(), end.begin(), end.end());
    return bytes;
  }));
  EXPECT_TRUE(refused([&](Position& at) {  // Another key.
    Bytes bytes = frames(at, {"a"});
    Bytes end = seal(at, SigningKey::random());
    bytes.insert(bytes.end(), end.begin(), end.end());
    return bytes;
  }));
  EXPECT_TRUE(refused([&](Position& at) {  // Another run.
    Bytes bytes = frames(at, {"a"});
    Seal other{Hash::of({}), at.frames, at.chain};
    append_record(bytes, RecordType::kSeal, sign(other, node_));
    return bytes;
  }));
  EXPECT_TRUE(refused([&](Position& at) {  // More than a node may leave unsealed.
    Bytes bytes;
    for (std::size_t i = 0; i <= kFramesUnsealedMax; ++i) {
      Bytes one = frames(at, {""});
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    return bytes;
  }));
  EXPECT_TRUE(refused([&](Position&) { return Bytes{9, 0, 0, 0, 0}; }));
  EXPECT_TRUE(refused([&](Position&) { return Bytes{1, 255, 255, 255, 255}; }));
}

}  // namespace
}  // namespace weft::node
