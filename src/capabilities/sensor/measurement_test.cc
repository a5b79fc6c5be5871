// Shows which names and patterns there are, what fits, and how an operator's list of sensors is
// read.
#include "capabilities/sensor/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/sensor/entries.h"

namespace weft::sensor {
namespace {

using ::testing::HasSubstr;

TEST(SensorNames, HaveASpaceAndBounds) {
  EXPECT_TRUE(check_name("boiler/temperature").has_value());
  EXPECT_TRUE(check_name("a/b/c").has_value());
  EXPECT_TRUE(check_name("a/" + std::string(kNameBytesMax - 2, 'x')).has_value());
  for (const std::string& name :
       {std::string(), std::string("boiler"), std::string("/x"), std::string("boiler/"),
        std::string("a/b c"), std::string("a/b\n"), "a/" + std::string(kNameBytesMax - 1, 'x')}) {
    EXPECT_EQ(check_name(name).error().code(), Errc::kInvalid) << name;
  }
  EXPECT_TRUE(check_pattern("boiler/*").has_value());
  EXPECT_THAT(check_pattern("*/temperature").error().message(), HasSubstr("behind the space"));
  // Those of MQTT are none here.
  EXPECT_THAT(check_pattern("boiler/#").error().message(), HasSubstr("\"boiler/*\""));
  EXPECT_FALSE(check_pattern("boiler/+/temperature").has_value());
  EXPECT_TRUE(check_pattern("boiler/a+b").has_value());
  EXPECT_EQ(within_space("a/b/c"), "b/c");
}

TEST(SensorPatterns, HaveStarsForAnything) {
  for (auto [pattern, name] : {std::pair{"*", ""},
                               {"*", "a/b"},
                               {"a*", "a"},
                               {"a*c", "abbc"},
                               {"*-temp", "in-temp-temp"},
                               {"a*b*c", "axbxbxc"},
                               {"a", "a"}}) {
    EXPECT_TRUE(matches(pattern, name)) << pattern << " " << name;
  }
  for (auto [pattern, name] :
       {std::pair{"a", "ab"}, {"a*c", "ab"}, {"*-temp", "temp"}, {"a*b*c", "ac"}, {"", "a"}}) {
    EXPECT_FALSE(matches(pattern, name)) << pattern << " " << name;
  }
}

TEST(SensorEntries, AreRead) {
  auto entries =
      read_entries("a: wave=sine  unit=Cel;\n b/c :offset=-1.5e2\n;", {"wave", "unit", "offset"});
  ASSERT_TRUE(entries.has_value()) << entries.error().message();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ(*entries->at(0).find("unit"), "Cel");
  EXPECT_EQ(entries->at(0).find("offset"), nullptr);
  EXPECT_EQ(entries->at(1).name, "b/c");
  EXPECT_EQ(entries->at(1).number("offset", 0).value_or(0), -150);
  EXPECT_EQ(entries->at(0).number("offset", 7).value_or(0), 7);
}

TEST(SensorEntries, SayWhatIsWrong) {
  for (auto [text, what] : {std::pair{"", "0 of them"},
                            {"a wave=sine", "NAME: KEY=VALUE"},
                            {": wave=sine", "NAME: KEY=VALUE"},
                            {"a*: wave=sine", "NAME: KEY=VALUE"},
                            {"a: wive=sine", "\"wive=sine\" is none of wave=VALUE"},
                            {"a: wave", "\"wave\" is none of"},
                            {"a: wave=x; a: wave=y", "twice"}}) {
    auto entries = read_entries(text, {"wave"});
    ASSERT_FALSE(entries.has_value()) << text;
    EXPECT_THAT(entries.error().message(), HasSubstr(what));
  }
  std::string many;
  for (std::size_t i = 0; i <= kSensorsMax; ++i) many += std::to_string(i) + ":\n";
  EXPECT_THAT(read_entries(many, {}).error().message(), HasSubstr("1001 of them"));
  auto number = read_entries("a: wave=x1", {"wave"});
  EXPECT_FALSE(number->front().number("wave", 0).has_value());
  EXPECT_FALSE(
      read_entries("a: unit=" + std::string(kUnitBytesMax + 1, 'x'), {"unit"}).has_value());
}

}  // namespace
}  // namespace weft::sensor
