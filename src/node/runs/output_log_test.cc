// Shows that what a run writes is read as it was written, in order and proven, by several readers
// and across broken connections, within the bounds of what is kept; and that nothing else is
// believed.
#include "node/runs/output_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "node/object/proven_output.h"

namespace weft::node::runs {
namespace {

using Stream = OutputStream;

class Output : public ::testing::Test {
 protected:
  static std::string text(std::size_t size, char letter = 'x') { return std::string(size, letter); }

  std::shared_ptr<OutputLog> log(std::size_t kept = kOutputKeptMax) {
    return std::make_shared<OutputLog>(request_, node_, kept);
  }
  std::unique_ptr<OutputReader> reader(OutputLog& of, std::uint64_t from = 0) {
    auto made = of.read(from, [this] { ++woken_; });
    EXPECT_TRUE(made) << made.error().message();
    return *std::move(made);
  }
  Bytes receipt(const OutputLog& of) {
    return sign(Receipt{.request = request_, .frames = of.frames(), .chain = of.chain()}, node_);
  }
  // All that there is now.
  static Bytes drain(OutputReader& reader) {
    Bytes all;
    while (auto record = reader.next()) all.insert(all.end(), record->begin(), record->end());
    return all;
  }
  static std::vector<RecordView> records(BytesView bytes) {
    std::vector<RecordView> all;
    while (!bytes.empty()) {
      all.push_back(*take_record(bytes));
      if (all.back().size == 0) break;
      bytes = bytes.subspan(all.back().size);
    }
    return all;
  }
  ProvenOutput proven() const { return {request_, node_.public_key()}; }
  ProvenOutput::Frame into(std::string& text) {
    return [&text](Stream, BytesView bytes) { text += as_text(bytes); };
  }

  const Hash request_ = Hash::of(as_bytes("request"));
  const SigningKey node_ = SigningKey::random();
  int woken_ = 0;
};

TEST_F(Output, IsFramesThenASealThenTheReceipt) {
  auto out = log();
  auto in = reader(*out);
  EXPECT_EQ(in->next(), nullptr);
  out->write(Stream::kStdout, as_bytes("a"));
  out->write(Stream::kStdout, as_bytes("b"));
  out->write(Stream::kStderr, as_bytes("c"));
  EXPECT_EQ(woken_, 1);
  Bytes bytes = drain(*in);
  auto first = records(bytes);
  ASSERT_EQ(first.size(), 3U);
  EXPECT_EQ(as_text(first[0].payload()), "ab");
  EXPECT_EQ(first[1].stream(), Stream::kStderr);
  EXPECT_EQ(first[2].type, RecordType::kSeal);
  out->write(Stream::kResult, as_bytes("d"));
  out->close();
  out->finish(receipt(*out));
  Bytes more = drain(*in);
  auto last = records(more);
  ASSERT_EQ(last.size(), 2U);  // The receipt proves the frame: no seal is needed.
  EXPECT_EQ(last[1].type, RecordType::kReceipt);
  EXPECT_TRUE(in->over());
  std::string text;
  ProvenOutput proof = proven();
  bytes.insert(bytes.end(), more.begin(), more.end());
  for (std::uint8_t byte : bytes) ASSERT_TRUE(proof.take(BytesView(&byte, 1), into(text)));
  EXPECT_EQ(text, "abcd");
  ASSERT_TRUE(proof.receipt());
  EXPECT_EQ(proof.receipt()->frames, 3U);
}

TEST_F(Output, AFrameThatWasReadGrowsNoMoreAndNoneIsTooLong) {
  auto out = log();
  auto in = reader(*out);
  out->write(Stream::kStdout, as_bytes("a"));
  drain(*in);
  out->write(Stream::kStdout, as_bytes("b"));
  EXPECT_EQ(out->frames(), 2U);
  out->write(Stream::kStdout, as_bytes(text(kFrameBytesMax)));
  drain(*in);
  EXPECT_EQ(out->frames(), 3U);
}

TEST_F(Output, IsSealedAfterSixtyFour) {
  auto out = log();
  for (int i = 0; i < 200; ++i) {
    out->write(i % 2 == 0 ? Stream::kStdout : Stream::kStderr, as_bytes("x"));
  }
  auto in = reader(*out);
  std::uint64_t run = 0;
  std::uint64_t most = 0;
  Bytes bytes = drain(*in);
  for (const RecordView& record : records(bytes)) {
    run = record.type == RecordType::kFrame ? run + 1 : 0;
    most = std::max(most, run);
  }
  EXPECT_EQ(most, kSealEvery);
  std::string text;
  ProvenOutput proof = proven();
  ASSERT_TRUE(proof.take(bytes, into(text)));
  EXPECT_EQ(text.size(), 200U);
}

TEST_F(Output, WaitsForItsReadersAndForNobodyWhereNoneIs) {
  constexpr std::size_t kKept = 64 * 1024;
  auto out = log(kKept);
  int changed = 0;
  out->on_change([&] { ++changed; });
  std::size_t written = 0;
  auto fill = [&] {
    while (std::size_t room = out->room()) {
      std::size_t part = std::min<std::size_t>(room, 1000);
      out->write(written % 2000 == 0 ? Stream::kStdout : Stream::kStderr, as_bytes(text(part)));
      written += part;
    }
  };
  fill();
  EXPECT_LE(out->kept(), kKept / 2 + 2 * kFrameCost);
  auto quick = reader(*out);
  auto slow = reader(*out);
  drain(*quick);
  EXPECT_EQ(out->room(), 0U);
  changed = 0;
  for (int i = 0; i < 5; ++i) slow->next();
  EXPECT_GT(changed, 0);
  EXPECT_GT(out->room(), 0U);
  for (int round = 0; round < 20; ++round) {
    drain(*quick);
    drain(*slow);
    fill();
    EXPECT_LE(out->kept(), kKept + kFrameBytesMax);
  }
  // The end of who holds it up lets it go on; that of the last one keeps what he had not.
  drain(*quick);
  EXPECT_EQ(out->room(), 0U);
  slow.reset();
  EXPECT_GT(out->room(), 0U);
  std::uint64_t position = quick->position();
  fill();
  quick.reset();
  EXPECT_EQ(out->room(), 0U);
  EXPECT_TRUE(out->read(position, [] {}));
  // What was read last is kept, what was read long ago is not.
  EXPECT_TRUE(out->read(position - 10, [] {}));
  auto gone = out->read(0, [] {});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), Errc::kNotFound);
  EXPECT_FALSE(out->read(out->frames() + 1, [] {}));
}

// What somebody was given is told to whoever begins below it, and what is given to two at the same
// time is counted.
TEST_F(Output, KnowsWhatItHandsOutAgain) {
  auto out = log();
  out->write(Stream::kStdout, as_bytes(text(100)));
  auto in = reader(*out);
  EXPECT_EQ(in->again(), 0U);
  EXPECT_EQ(reader(*out)->again(), 0U);  // Nobody has read it yet.
  drain(*in);
  out->write(Stream::kStderr, as_bytes(text(10)));
  drain(*in);
  out->write(Stream::kStdout, as_bytes(text(1)));  // Frame 2, which nobody has.
  EXPECT_EQ(reader(*out, 0)->again(), 110U);
  EXPECT_EQ(reader(*out, 1)->again(), 10U);
  EXPECT_EQ(reader(*out, 2)->again(), 0U);
  EXPECT_EQ(reader(*out, 3)->again(), 0U);
  auto other = reader(*out);
  drain(*other);
  EXPECT_EQ(out->again(), 0U);  // It was the first to have what it did not say.
  drain(*in);
  EXPECT_EQ(out->again(), 1U);
  EXPECT_EQ(out->bytes(), 111U);
  in.reset();
  other.reset();
  out->close();
  out->finish(receipt(*out));
  // For ever the same, however often it is read.
  for (int i = 0; i < 3; ++i) {
    auto once_more = reader(*out);
    EXPECT_EQ(once_more->again(), 111U);
    drain(*once_more);
    EXPECT_EQ(out->again(), 1U);
  }
}

TEST_F(Output, HasSoManyReaders) {
  auto out = log();
  std::vector<std::unique_ptr<OutputReader>> all;
  while (all.size() < kReadersMax) all.push_back(reader(*out));
  EXPECT_EQ(out->read(0, [] {}).error().code(), Errc::kLimit);
  all.pop_back();
  EXPECT_TRUE(out->read(0, [] {}));
}

// Whatever is changed on the way is not believed, and no frame of it is given.
TEST_F(Output, IsBelievedAsItWasSignedOnly) {
  auto out = log();
  out->write(Stream::kStdout, as_bytes("one"));
  out->write(Stream::kStderr, as_bytes("two"));
  out->close();
  out->finish(receipt(*out));
  Bytes bytes = drain(*reader(*out));
  auto believes = [&](ProvenOutput proof, BytesView what) {
    std::string text;
    auto taken = proof.take(what, into(text));
    bool whole = proof.receipt().has_value();
    EXPECT_TRUE(whole || text.empty());
    return taken.has_value() && whole;
  };
  EXPECT_TRUE(believes(proven(), bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes changed = bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(believes(proven(), changed)) << i;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(believes(proven(), BytesView(bytes).first(size)));
  }
  EXPECT_FALSE(believes({Hash::of(as_bytes("other")), node_.public_key()}, bytes));
  EXPECT_FALSE(believes({request_, SigningKey::random().public_key()}, bytes));
  std::size_t first = records(bytes)[0].size;
  std::size_t second = records(bytes)[1].size;
  Bytes swapped = bytes;
  std::rotate(swapped.begin(), swapped.begin() + static_cast<long>(first),
              swapped.begin() + static_cast<long>(first + second));
  EXPECT_FALSE(believes(proven(), swapped));
  Bytes left_out(bytes.begin() + static_cast<long>(first), bytes.end());
  EXPECT_FALSE(believes(proven(), left_out));
  Bytes behind = bytes;
  behind.insert(behind.end(), bytes.begin(), bytes.end());
  EXPECT_FALSE(proven().take(behind, {}));
}

// Writers and readers by chance; connections break in the middle of records.
TEST_F(Output, ComesWholeAcrossBrokenConnections) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
  for (int round = 0; round < 20; ++round) {
    auto out = log(std::size_t{128} << 10);
    std::string written[4];
    std::string read[4];
    ProvenOutput proof = proven();
    auto take = [&](Stream stream, BytesView bytes) {
      read[static_cast<int>(stream)] += as_text(bytes);
    };
    std::unique_ptr<OutputReader> in;
    for (int step = 0; step < 2000 || !proof.receipt(); ++step) {
      if (step < 2000 && out->room() > 0 && !chance(3)) {
        Stream stream{static_cast<std::uint8_t>(1 + random() % 3)};
        std::string part = text(1 + random() % std::min<std::size_t>(out->room(), 3000),
                                static_cast<char>('a' + random() % 26));
        out->write(stream, as_bytes(part));
        written[static_cast<int>(stream)] += part;
      }
      if (step == 2000) {
        out->close();
        out->finish(receipt(*out));
      }
      if (in == nullptr) in = reader(*out, proof.proven());
      auto record = in->next();
      if (record == nullptr) continue;
      if (chance(50)) {
        ASSERT_TRUE(proof.take(BytesView(*record).first(random() % record->size()), take));
        proof.broken();
        in.reset();
      } else {
        ASSERT_TRUE(proof.take(*record, take));
      }
    }
    for (int stream = 1; stream <= 3; ++stream) EXPECT_EQ(read[stream], written[stream]);
  }
}

}  // namespace
}  // namespace weft::node::runs
