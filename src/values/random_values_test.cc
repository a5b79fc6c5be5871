// Shows, over random types and random values of them, that bytes become text and come back as they
// were, in both notations; and that text cut anywhere is refused without harm.

#include <gtest/gtest.h>

#include <random>

#include "door/codec.h"
#include "values/random.h"
#include "values/testing.h"

namespace weft::testing {
namespace {

TEST(RandomValues, GoThereAndBack) {
  std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  for (int round = 0; round < 2'000 && !::testing::Test::HasFailure(); ++round) {
    Type type = random.type(4);
    std::string type_text = type.text(1 << 20);
    EXPECT_EQ(type_of(type_text).text(1 << 20), type_text);
    Buffer buffer;
    Writer out(buffer);
    random.value(type, out);
    Bytes bytes(buffer.view().begin(), buffer.view().end());
    auto as_wave = value_to_wave(type, bytes);
    auto as_json = value_to_json(type, bytes);
    ASSERT_TRUE(as_wave && as_json) << type_text << " " << hex(bytes);
    EXPECT_EQ(shown(value_from_wave(type, *as_wave)), hex(bytes)) << type_text << "\n" << *as_wave;
    EXPECT_EQ(shown(value_from_json(type, *as_json)), hex(bytes)) << type_text << "\n" << *as_json;
  }
}

// Any text may come: what is read of a piece of it is a value, and comes back.
TEST(RandomValues, AreReadFromPiecesOfText) {
  std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  int taken = 0;
  for (int round = 0; round < 500; ++round) {
    Type type = random.type(3);
    Buffer buffer;
    Writer out(buffer);
    random.value(type, out);
    std::string text = *value_to_wave(type, buffer.view());
    text.resize(random.below(text.size() + 1));
    auto bytes = value_from_wave(type, text);
    if (!bytes) continue;
    ++taken;
    EXPECT_TRUE(value_to_wave(type, *bytes)) << text;
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace weft::testing
