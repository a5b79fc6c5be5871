// Shows that text and bytes agree with the golden vectors that every half of the encoding is held
// to: each JSON value gives the bytes and comes back from them, by way of WAVE as well; what is
// invalid is refused.

#include <gmock/gmock.h>

#include <fstream>
#include <vector>

#include "values/testing.h"

namespace weft::testing {
namespace {

struct Vector {
  std::string type;
  std::string value;
  Bytes bytes;
};

// What stands between `before` and `after` in a line.
std::string between(const std::string& line, std::string_view before, std::string_view after) {
  std::size_t begin = line.find(before);
  if (begin == std::string::npos) return {};
  begin += before.size();
  return line.substr(begin, line.find(after, begin) - begin);
}

// One part of the file, which has a vector a line.
std::vector<Vector> vectors(std::string_view part) {
  std::ifstream file(WEFT_GOLDEN);
  std::vector<Vector> found;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('[')) inside = line.contains(fmt::format("\"{}\"", part));
    if (!inside || !line.contains("\"type\"")) continue;
    Vector vector{
        between(line, "\"type\": \"", "\""), between(line, "\"value\": ", ", \"hex\""), {}};
    std::string digits = between(line, "\"hex\": \"", "\"");
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
      vector.bytes.push_back(
          static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    }
    found.push_back(std::move(vector));
  }
  EXPECT_GE(found.size(), 5u) << part;
  return found;
}

// What the bytes read as is written as `written`, in either notation.
void expect_text(const Type& type, const Bytes& bytes, const Bytes& written) {
  auto as_json = value_to_json(type, bytes);
  ASSERT_TRUE(as_json) << as_json.error().message();
  EXPECT_EQ(shown(value_from_json(type, *as_json)), hex(written)) << *as_json;
  auto as_wave = value_to_wave(type, bytes);
  ASSERT_TRUE(as_wave) << as_wave.error().message();
  EXPECT_EQ(shown(value_from_wave(type, *as_wave)), hex(written)) << *as_wave;
}

TEST(GoldenValues, AreWrittenAndRead) {
  for (const Vector& vector : vectors("cases")) {
    SCOPED_TRACE(vector.type + " " + vector.value);
    Type type = type_of(vector.type);
    EXPECT_EQ(type.text(1 << 20), vector.type);
    EXPECT_EQ(shown(value_from_json(type, vector.value)), hex(vector.bytes));
    expect_text(type, vector.bytes, vector.bytes);
  }
}

TEST(GoldenValues, AreReadInMoreBytes) {
  for (const Vector& vector : vectors("also_read")) {
    SCOPED_TRACE(vector.type + " " + vector.value);
    Type type = type_of(vector.type);
    auto shortest = value_from_json(type, vector.value);
    ASSERT_TRUE(shortest);
    expect_text(type, vector.bytes, *shortest);
  }
}

TEST(GoldenValues, AreRefusedWhenInvalid) {
  for (const Vector& vector : vectors("invalid")) {
    SCOPED_TRACE(vector.type + " " + hex(vector.bytes));
    EXPECT_FALSE(value_to_json(type_of(vector.type), vector.bytes));
    EXPECT_FALSE(value_to_wave(type_of(vector.type), vector.bytes));
  }
}

// Handles have no text.
TEST(GoldenValues, HaveNoHandles) {
  for (const Vector& vector : vectors("handles")) {
    SCOPED_TRACE(vector.type);
    Type type = type_of(vector.type);
    EXPECT_EQ(find_handle(type), vector.type);
    EXPECT_FALSE(value_to_wave(type, vector.bytes));
    EXPECT_FALSE(value_from_json(type, vector.value));
  }
}

}  // namespace
}  // namespace weft::testing
