// Shows that every value knows its place, and that text which is no TOML, or is made to hurt, is
// told and not suffered.
#include "app/toml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/listen_address.h"
#include "app/table_reader.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Toml, keys_and_values_have_places_and_the_order_of_the_file) {
  Problems problems;
  auto top = parse_toml("[b]\n  z = 1\n  a = [\"x\", true]\n", "f.toml", problems);
  ASSERT_TRUE(top.has_value()) << problems.text();
  const TomlValue& b = top->find("b")->value;
  ASSERT_EQ(b.entries.size(), 2u);
  EXPECT_EQ(b.entries[0].key, "z");
  EXPECT_EQ(b.entries[0].place.text(), "f.toml:2:3");
  EXPECT_EQ(b.entries[0].value.place.text(), "f.toml:2:7");
  EXPECT_EQ(b.entries[1].value.list[1].place.text(), "f.toml:3:13");
  EXPECT_TRUE(b.entries[1].value.list[1].flag);
}

TEST(Toml, what_is_no_toml_is_told_with_its_place_and_without_what_it_quotes) {
  Problems problems;
  EXPECT_FALSE(parse_toml("a = 1\nb = = 2\n", "f.toml", problems).has_value());
  EXPECT_THAT(problems.text(), HasSubstr("f.toml:2:"));
  // Letters that stand outside a string, where the library's tables have holes.
  for (const char* text : {"ў", "a = 1 é", "\xd1\x9el = 1"}) {
    Problems letters;
    EXPECT_FALSE(parse_toml(text, "f.toml", letters).has_value()) << text;
    EXPECT_EQ(letters.errors(), 1u) << text;
  }
  Problems secret;
  parse_toml("key = 99999999999999999999999\n", "f.toml", secret);
  parse_toml("key = hunter2\n", "f.toml", secret);
  parse_toml("hunter2 = 1\nhunter2 = 2\n", "f.toml", secret);
  EXPECT_EQ(secret.errors(), 3u);
  EXPECT_THAT(secret.text(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(secret.text(), Not(HasSubstr("9999")));
}

TEST(Toml, tables_that_lie_deep_in_each_other_are_refused) {
  for (std::string text : {std::string(5'000, '[') + std::string(5'000, ']'),
                           "a" + std::string(100'000, '.') + "b = 1"}) {
    Problems problems;
    EXPECT_FALSE(parse_toml("x = " + text, "f", problems).has_value());
    EXPECT_FALSE(parse_toml(text, "f", problems).has_value());
    EXPECT_EQ(problems.errors(), 2u);
  }
  std::string dotted = "a";
  for (int i = 0; i < 40; ++i) dotted += ".a";
  Problems problems;
  parse_toml(dotted + " = 1", "f", problems);
  EXPECT_THAT(problems.text(), HasSubstr("tables deep"));
  Problems strings;
  std::string dots(10'000, '.');
  EXPECT_TRUE(
      parse_toml("a = \"" + dots + "\" # " + dots + "\nb = '''\n" + dots + "'''", "f", strings)
          .has_value())
      << strings.text();
}

TEST(TableReader, tells_wrong_types_and_unknown_keys_all_at_once) {
  Problems problems;
  auto top =
      parse_toml("size = \"lots\"\ntime = 5\nflag = \"yes\"\ncuont = 1\nword = 7\n", "f", problems);
  ASSERT_TRUE(top.has_value());
  TableReader reader(*top, "[t]", problems);
  EXPECT_FALSE(reader.size("size", 0, 100).has_value());
  EXPECT_FALSE(reader.duration("time").has_value());
  EXPECT_FALSE(reader.flag("flag").has_value());
  EXPECT_FALSE(reader.whole("count", 1, 9).has_value());
  EXPECT_FALSE(reader.text("word").has_value());
  reader.finish();
  EXPECT_EQ(problems.text(),
            "f:1:8: t.size is \"lots\": write a size, like \"64MiB\"\n"
            "f:2:8: t.time is 5: write a length of time with its unit, like \"200ms\", \"5s\" or "
            "\"10min\"\n"
            "f:3:8: t.flag is \"yes\": write true or false, without quotes\n"
            "f:4:1: unknown key \"cuont\" in [t]: did you mean count?\n"
            "f:5:8: t.word is 7: write a string in quotes\n");
}

TEST(TableReader, reads_sizes_and_times_as_people_write_them) {
  Problems problems;
  auto top =
      parse_toml("a = \"64MiB\"\nb = 12\nc = \"10min\"\nd = \"9000h\"\ne = \"1h\"", "f", problems);
  ASSERT_TRUE(top.has_value());
  TableReader reader(*top, "", problems);
  EXPECT_EQ(reader.size("a", 0, 1 << 30), std::uint64_t{64} << 20);
  EXPECT_EQ(reader.size("b", 0, 100), 12u);
  EXPECT_EQ(reader.duration("c"), std::chrono::minutes(10));
  EXPECT_FALSE(reader.duration("d").has_value());
  EXPECT_EQ(reader.duration("e"), std::chrono::hours(1));
  EXPECT_EQ(problems.text(), "f:4:5: d is \"9000h\": write at most a year; \"0s\" is no limit\n");
}

TEST(Problems, are_told_by_file_and_line_and_as_json) {
  Problems problems;
  problems.warn({"b.toml", 9, 1}, "late", "");
  problems.error({"a.toml", 2, 1}, "a \"quoted\"\nword", "write it");
  problems.error({"b.toml", 3, 1}, "early", "");
  EXPECT_EQ(problems.text(),
            "b.toml:3:1: early\n"
            "b.toml:9:1: warning: late\n"
            "a.toml:2:1: a \"quoted\"\\nword: write it\n");
  EXPECT_THAT(problems.json(),
              HasSubstr("{\"severity\": \"error\", \"file\": \"a.toml\", \"line\": 2, \"column\": "
                        "1, \"found\": \"a \\\"quoted\\\"\\u000aword\", \"write\": \"write it\"}"));
  EXPECT_THAT(problems.json(), HasSubstr("\"errors\": 2, \"warnings\": 1}"));
  for (int i = 0; i < 2000; ++i) problems.error({"c"}, "more", "");
  EXPECT_EQ(problems.errors(), 2002u);
  EXPECT_THAT(problems.text(), HasSubstr("and 1503 more\n"));
}

// A terminal obeys none of it, and it is no page long.
TEST(Problems, are_lines_whatever_was_written) {
  Problems problems;
  problems.error({"a.toml", 1, 1}, "b\u202ec is \"" + std::string(70'000, 'x') + "\"",
                 "write less");
  EXPECT_THAT(problems.text(), StartsWith("a.toml:1:1: b\\xe2\\x80\\xaec is \"xxx"));
  EXPECT_THAT(problems.text(), EndsWith("xxx\": write less\n"));
  EXPECT_LT(problems.text().size(), 5'000U);
}

TEST(ListenAddress, takes_what_people_write_and_refuses_the_rest) {
  EXPECT_EQ(ListenAddress::parse("8080"), (ListenAddress{"127.0.0.1", 8080}));
  EXPECT_EQ(ListenAddress::parse("0.0.0.0:80"), (ListenAddress{"0.0.0.0", 80}));
  EXPECT_EQ(ListenAddress::parse("localhost:0"), (ListenAddress{"127.0.0.1", 0}));
  EXPECT_EQ(ListenAddress::parse("[::1]:8443"), (ListenAddress{"::1", 8443}));
  for (const char* text : {"", "x", "1.2.3:80", "127.0.0.1:", "127.0.0.1:65536", "host:80",
                           "[127.0.0.1]:80", "127.0.0.1:80x"}) {
    EXPECT_FALSE(ListenAddress::parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace weft
