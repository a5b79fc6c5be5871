// Shows the C++ half of the encoding: values go there and back, the golden vectors hold, and bytes
// that nobody should send fail without harm.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "door/values.h"

namespace weft {
namespace {

template <class T>
Bytes encode(T value) {
  Buffer buffer;
  Writer out(buffer);
  out.write(value);
  EXPECT_TRUE(out.end());
  return Bytes(buffer.view().begin(), buffer.view().end());
}
template <class T>
Result<T> decode(BytesView bytes) {
  Reader in(bytes);
  T value = in.read<T>();
  TRY_VOID(in.end());
  return value;
}
template <class T>
void round_trip(const T& value) {
  Bytes bytes = encode(value);
  Result<T> back = decode<T>(bytes);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, value);
  // No shorter run of the bytes is a value: nothing is read beyond them either.
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode<T>(BytesView(bytes).first(size))) << size;
  }
  bytes.push_back(0);
  EXPECT_FALSE(decode<T>(bytes));
}
template <class T>
Errc failure_of(std::initializer_list<int> bytes) {
  Bytes run(bytes.begin(), bytes.end());
  Result<T> value = decode<T>(run);
  EXPECT_FALSE(value);
  return value ? Errc::kInternal : value.error().code();
}

TEST(Codec, NumbersGoThereAndBack) {
  auto limits = []<class T>(T) {
    using L = std::numeric_limits<T>;
    for (T value : {L::min(), L::max(), L::lowest(), T{0}, T{1}, T{63}, T{64}, T{127}}) {
      round_trip<T>(value);
      round_trip<T>(static_cast<T>(static_cast<std::uint64_t>(value) - 1));
      round_trip<T>(static_cast<T>(0 - static_cast<std::uint64_t>(value)));
    }
    for (unsigned shift = 0; shift < 8 * sizeof(T); ++shift) {
      round_trip<T>(static_cast<T>(std::uint64_t{1} << shift));
      round_trip<T>(static_cast<T>(~(std::uint64_t{1} << shift)));
    }
  };
  limits(std::uint8_t{});
  limits(std::int8_t{});
  limits(std::uint16_t{});
  limits(std::int16_t{});
  limits(std::uint32_t{});
  limits(std::int32_t{});
  limits(std::uint64_t{});
  limits(std::int64_t{});
  round_trip(1.5F);
  round_trip(-std::numeric_limits<double>::infinity());
  round_trip(true);
  round_trip(false);
}

TEST(Codec, BytesAreTheDocumentedOnes) {
  using ::testing::ElementsAre;
  EXPECT_THAT(encode(std::uint32_t{300}), ElementsAre(0xac, 0x02));
  EXPECT_THAT(encode(std::int32_t{-1}), ElementsAre(0x7f));
  EXPECT_THAT(encode(std::int32_t{64}), ElementsAre(0xc0, 0x00));
  EXPECT_THAT(encode(std::int8_t{-1}), ElementsAre(0xff));
  EXPECT_THAT(encode(U'\u20ac'), ElementsAre(0xe2, 0x82, 0xac));
  EXPECT_THAT(encode(std::string("hi")), ElementsAre(2, 'h', 'i'));
  EXPECT_THAT(encode(std::vector<std::uint16_t>{1, 128}), ElementsAre(2, 1, 0x80, 1));
  EXPECT_THAT(encode(std::optional<bool>(true)), ElementsAre(1, 1));
  EXPECT_THAT(encode(std::expected<void, std::uint8_t>(std::unexpected(9))), ElementsAre(1, 9));
  EXPECT_THAT(encode(std::expected<std::uint8_t, Nothing>(7)), ElementsAre(0, 7));
  EXPECT_THAT(encode(1.0F), ElementsAre(0, 0, 0x80, 0x3f));
  EXPECT_THAT(encode(std::array<std::uint32_t, 2>{1, 200}), ElementsAre(1, 0xc8, 1));
}

TEST(Codec, CompoundsGoThereAndBack) {
  for (char32_t c : {U'a', U'\u00df', U'\u20ac', U'\U0001f600', U'\ud7ff', U'\ue000'}) {
    round_trip(c);
  }
  round_trip(std::string("gr\u00fc\u00dfe, \U0001f600 and plenty of plain text after it"));
  round_trip(std::string());
  round_trip(Bytes{0, 255, 128});
  round_trip(std::vector<float>{1, 2.5F});
  round_trip(std::vector<bool>{true, false, true});
  round_trip(std::vector<std::vector<std::string>>{{"a"}, {}, {"b", "c"}});
  round_trip(std::tuple<std::string, std::uint64_t, bool>("x", 1, true));
  round_trip(std::optional<std::optional<std::int16_t>>(std::optional<std::int16_t>()));
  round_trip(std::expected<std::string, std::uint32_t>("fine"));
  round_trip(std::expected<std::string, std::uint32_t>(std::unexpected(4)));
  round_trip(std::array<std::int64_t, 3>{-1, 0, 1LL << 40});
  round_trip(std::vector<std::tuple<std::string, Bytes>>{{"k", {1, 2}}, {"l", {}}});
}

TEST(Codec, NumbersOfTooManyBitsFail) {
  EXPECT_EQ(failure_of<std::uint16_t>({0xff, 0xff, 0x04}), Errc::kInvalid);
  EXPECT_EQ(decode<std::uint16_t>(Bytes{0xff, 0xff, 0x03}), 0xffff);
  EXPECT_EQ(failure_of<std::uint16_t>({0x80, 0x80, 0x80, 0x00}), Errc::kInvalid);
  EXPECT_EQ(decode<std::uint16_t>(Bytes{0x81, 0x80, 0x00}), 1);
  EXPECT_EQ(failure_of<std::uint32_t>({0xff, 0xff, 0xff, 0xff, 0x10}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::uint64_t>({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),
            Errc::kInvalid);
  EXPECT_EQ(failure_of<std::int16_t>({0xff, 0xff, 0x02}), Errc::kInvalid);
  EXPECT_EQ(decode<std::int16_t>(Bytes{0xff, 0xff, 0x01}), 0x7fff);
  EXPECT_EQ(decode<std::int16_t>(Bytes{0x80, 0x80, 0x7e}), -0x8000);
  EXPECT_EQ(failure_of<std::int16_t>({0x80, 0x80, 0x7d}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::int16_t>({0x80, 0x80, 0x3e}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::int64_t>({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e}),
            Errc::kInvalid);
  EXPECT_EQ(failure_of<bool>({2}), Errc::kInvalid);
}

TEST(Codec, BadTextFails) {
  EXPECT_EQ(failure_of<std::string>({1, 0x80}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::string>({2, 0xc0, 0x80}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::string>({3, 0xed, 0xa0, 0x80}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::string>({4, 0xf4, 0x90, 0x80, 0x80}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::string>({9, 'l', 'o', 'n', 'g', 'e', 'n', 'd', 's', 0xe2}),
            Errc::kInvalid);
  EXPECT_EQ(failure_of<char32_t>({0xed, 0xa0, 0x80}), Errc::kInvalid);
  EXPECT_EQ(failure_of<char32_t>({0xe2, 0x82}), Errc::kInvalid);
  Buffer buffer;
  Writer out(buffer);
  out.write(static_cast<char32_t>(0xd800));
  EXPECT_FALSE(out.end());
}

// A count of four thousand million in a few bytes must fail before anything of that size is made.
TEST(Codec, CountsAreBoundedByTheBytesLeft) {
  EXPECT_EQ(failure_of<Bytes>({0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::vector<std::string>>({0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2}),
            Errc::kInvalid);
  EXPECT_EQ(failure_of<std::vector<double>>({2, 0, 0, 0, 0, 0, 0, 0, 0, 0}), Errc::kInvalid);
  EXPECT_EQ(failure_of<std::vector<std::vector<bool>>>({3, 2, 1, 1, 9, 1}), Errc::kInvalid);
}

TEST(Codec, TheFirstFailureSticks) {
  Bytes bytes = {2, 5};
  Reader in(bytes);
  EXPECT_FALSE(in.read<bool>());
  EXPECT_EQ(in.read<std::uint8_t>(), 0);
  EXPECT_EQ(in.read<std::string>(), "");
  Result<void> end = in.end();
  ASSERT_FALSE(end);
  EXPECT_THAT(end.error().message(), ::testing::HasSubstr("at byte 1"));
}

struct Bucket : Resource {
  static constexpr char kName[] = "bucket";
  static constexpr ResourceKind kKind = kName;
  int tag = 0;
};
struct Cursor : Resource {
  static constexpr char kName[] = "cursor";
  static constexpr ResourceKind kKind = kName;
};

TEST(Codec, HandlesGoThroughTheTable) {
  ResourceTable table;
  Buffer buffer;
  {
    Writer out(buffer, &table);
    std::optional<std::unique_ptr<Bucket>> given(std::make_unique<Bucket>());
    (*given)->tag = 5;
    out.write(given);
    ASSERT_TRUE(out.end());
  }
  EXPECT_EQ(table.size(), 1);
  {
    Reader in(buffer.view().subspan(1), &table);
    Bucket* lent = in.read<Bucket*>();
    ASSERT_TRUE(in.end());
    EXPECT_EQ(lent->tag, 5);
  }
  {
    Reader wrong(buffer.view().subspan(1), &table);
    EXPECT_EQ(wrong.read<Cursor*>(), nullptr);
    EXPECT_FALSE(wrong.end());
  }
  Reader in(buffer.view(), &table);
  auto taken = in.read<std::optional<std::unique_ptr<Bucket>>>();
  ASSERT_TRUE(in.end());
  EXPECT_EQ((*taken)->tag, 5);
  EXPECT_EQ(table.size(), 0);
  Reader again(buffer.view(), &table);
  again.read<std::optional<std::unique_ptr<Bucket>>>();
  EXPECT_FALSE(again.end());
}

TEST(Codec, HandlesOverTheLimitFailTheWriter) {
  ResourceTable table;
  table.set_limit(0);
  Buffer buffer;
  Writer out(buffer, &table);
  auto bucket = std::make_unique<Bucket>();
  out.write(bucket);
  Result<void> end = out.end();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), Errc::kLimit);
  Buffer elsewhere;
  Writer without(elsewhere);
  auto other = std::make_unique<Bucket>();
  without.write(other);
  EXPECT_FALSE(without.end());
}

}  // namespace
}  // namespace weft
