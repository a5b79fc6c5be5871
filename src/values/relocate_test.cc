// Shows that a value passes with its numbers changed and nothing else, whatever its type, and that
// bytes which are no value of the type are refused.

#include "values/relocate.h"

#include <gmock/gmock.h>

#include <random>
#include <vector>

#include "values/random.h"
#include "values/testing.h"

namespace weft::testing {
namespace {

using ::testing::HasSubstr;

// Notes what it is asked, and adds to each number.
class Adds : public Renumbering {
 public:
  explicit Adds(std::uint32_t added) : added_(added) {}

  Result<std::uint32_t> own(std::string_view resource, std::uint32_t number) override {
    return note(fmt::format("own {}", resource), number);
  }
  Result<std::uint32_t> borrow(std::string_view resource, std::uint32_t number) override {
    return note(fmt::format("borrow {}", resource), number);
  }
  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override {
    return note(fmt::format("reader {}", static_cast<int>(kind)), number);
  }
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override {
    return note(fmt::format("writer {}", static_cast<int>(kind)), number);
  }

  std::string notes;

 private:
  Result<std::uint32_t> note(const std::string& what, std::uint32_t number) {
    if (number == 66) return failure(Errc::kDenied, "66 is refused");
    notes += fmt::format("{} {}; ", what, number);
    return number + added_;
  }
  std::uint32_t added_;
};

std::string relocated(std::string_view type, const Bytes& bytes, Renumbering& numbers) {
  Buffer out;
  Result<void> done = relocate(type_of(type), bytes, numbers, out);
  return done ? hex(out.view()) : done.error().message();
}
std::string relocated(std::string_view type, const Bytes& bytes) {
  Adds adds(1000);
  return relocated(type, bytes, adds);
}

TEST(Relocate, ChangesNumbersAndCopiesTheRest) {
  Adds adds(200);
  EXPECT_EQ(relocated("record{name: string, a: own<bucket>, b: option<borrow<cursor>>, end: u8}",
                      {2, 'h', 'i', 7, 1, 0x81, 0x00, 9}, adds),
            "026869cf0101c90109");
  EXPECT_EQ(adds.notes, "own bucket 7; borrow cursor 1; ");
}

TEST(Relocate, TellsWhichEndOfAPipeCrosses) {
  Adds adds(1);
  EXPECT_EQ(relocated("tuple<stream<u8>, stream<string>, stream, future<u8>, future, "
                      "own<input-stream>, own<output-stream>>",
                      {1, 2, 3, 4, 5, 6, 7}, adds),
            "02030405060708");
  EXPECT_EQ(adds.notes,
            "reader 0 1; reader 1 2; reader 1 3; reader 2 4; reader 2 5; reader 0 6; writer 0 7; ");
}

TEST(Relocate, TakesArgumentsOneAfterTheOther) {
  Signature signature = signature_of("func(a: borrow<bucket>, b: list<u8>) -> own<bucket>");
  Adds adds(1);
  Buffer out;
  ASSERT_TRUE(relocate_arguments(signature, Bytes{1, 2, 8, 9}, adds, out));
  EXPECT_EQ(hex(out.view()), "02020809");
  Buffer result;
  ASSERT_TRUE(relocate_result(signature, Bytes{3}, adds, result));
  EXPECT_EQ(hex(result.view()), "04");
  EXPECT_FALSE(relocate_result(signature_of("func()"), Bytes{0}, adds, result));
}

TEST(Relocate, RefusesWhatIsNoValue) {
  EXPECT_EQ(relocated("own<a>", {66}), "66 is refused");
  EXPECT_THAT(relocated("own<a>", {1, 2}), HasSubstr("more than the values take"));
  EXPECT_THAT(relocated("own<a>", {}), HasSubstr("cut off"));
  EXPECT_THAT(relocated("list<own<a>>", {200, 200, 200, 100}), HasSubstr("elements in"));
  EXPECT_THAT(relocated("option<own<a>>", {2, 1}), HasSubstr("neither 0 nor 1"));
  EXPECT_THAT(relocated("variant{a, b(own<a>)}", {2}), HasSubstr("case 2 of 2"));
  EXPECT_THAT(relocated("flags{a, b}", {4}), HasSubstr("a flag beyond"));
  EXPECT_THAT(relocated("string", {1, 0xff}), HasSubstr("not UTF-8"));
  EXPECT_THAT(relocated("list<f64, 4294967295>", {1}), HasSubstr("cut off"));
  EXPECT_THAT(relocated("list<list<string, 4294967295>, 4294967295>", {1}), HasSubstr("cut off"));
  EXPECT_THAT(relocated("borrow<input-stream>", {1}), HasSubstr("cannot cross"));
  EXPECT_THAT(relocated("error-context", {1}), HasSubstr("cannot cross"));
}

// Numbers take more bytes there and the same again on the way back, so every length is exercised.
TEST(Relocate, GoesThereAndBackOverRandomTypes) {
  std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  random.with_handles(20);
  Adds there(0x1234'5678);
  Adds back(-0x1234'5678U);
  int cut_short = 0;
  for (int round = 0; round < 2'000 && !::testing::Test::HasFailure(); ++round) {
    Type type = random.type(4);
    Buffer bytes;
    Writer out(bytes);
    random.value(type, out);
    Buffer moved;
    Buffer returned;
    Result<void> gone = relocate(type, bytes.view(), there, moved);
    if (!gone && gone.error().code() == Errc::kDenied) continue;
    ASSERT_TRUE(gone) << type.text(1 << 20) << " " << hex(bytes.view()) << gone.error().message();
    Result<void> came = relocate(type, moved.view(), back, returned);
    if (!came && came.error().code() == Errc::kDenied) continue;
    ASSERT_TRUE(came) << type.text(1 << 20) << " " << hex(moved.view()) << came.error().message();
    EXPECT_EQ(hex(returned.view()), hex(bytes.view())) << type.text(1 << 20);
    // What is cut off is no value: a reader knows where each ends.
    Buffer rest;
    std::size_t cut = random.below(bytes.size());
    Result<void> part = relocate(type, bytes.view().first(cut), there, rest);
    EXPECT_FALSE(part) << type.text(1 << 20);
    cut_short += !part;
    // Any bytes: whatever comes of it, it ends.
    Bytes noise(random.below(40));
    for (std::uint8_t& each : noise) each = static_cast<std::uint8_t>(random.bits());
    static_cast<void>(relocate(type, noise, there, rest));
  }
  EXPECT_GT(cut_short, 0);
}

}  // namespace
}  // namespace weft::testing
