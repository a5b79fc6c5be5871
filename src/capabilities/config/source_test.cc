// Shows what each driver of wasi:config reads, that a change is seen and a broken file is not, and
// what is refused.
#include "capabilities/config/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "capabilities/test_folder.h"

namespace weft::config {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// How a driver is given values in a test.
struct Driver {
  std::string name;
  std::string path;  // In the test's folder.
};

// What every driver that watches something does alike.
class FileSource : public ::testing::TestWithParam<Driver> {
 protected:
  // Writes all of it anew.
  void write(const Values& values) {
    fs::path path = folder_.path() / GetParam().path;
    if (GetParam().name == "folder") {
      fs::remove_all(path);
      fs::create_directory(path);
      for (const auto& [key, value] : values) std::ofstream(path / key) << value << '\n';
      return;
    }
    std::string text;
    if (GetParam().name == "json") {
      for (const auto& [key, value] : values) {
        text += (text.empty() ? "{\"" : ",\"") + key + "\":\"" + value + '"';
      }
      text = text.empty() ? "{}" : text + "}";
    } else {
      for (const auto& [key, value] : values) text += key + " = \"" + value + "\"\n";
    }
    fs::path aside = path;
    aside += ".new";
    std::ofstream(aside) << text;
    fs::rename(aside, path);
  }
  std::unique_ptr<Source> source() {
    return file_source((folder_.path() / GetParam().path).string());
  }
  void break_it() {
    fs::path path = folder_.path() / GetParam().path;
    fs::remove_all(path);
    if (GetParam().name == "folder") return;
    std::ofstream(path) << "{ hunter2";
  }

  TestFolder folder_;
};

TEST_P(FileSource, gives_what_is_there_and_nothing_else) {
  write({{"currency", "EUR"}, {"empty", ""}});
  auto from = source();
  ASSERT_TRUE(from->open().has_value());
  EXPECT_EQ(from->get("currency"), "EUR");
  EXPECT_EQ(from->get("empty"), "");
  EXPECT_EQ(from->get("none"), std::nullopt);
  EXPECT_EQ(from->get("../currency"), std::nullopt);
}

TEST_P(FileSource, a_change_is_seen_at_the_next_look) {
  write({{"currency", "EUR"}, {"gone", "soon"}});
  auto from = source();
  ASSERT_TRUE(from->open().has_value());
  write({{"currency", "USD"}, {"more", "of it"}});
  EXPECT_EQ(from->get("currency"), "EUR");
  from->look();
  EXPECT_EQ(from->get("currency"), "USD");
  EXPECT_EQ(from->get("more"), "of it");
  EXPECT_EQ(from->get("gone"), std::nullopt);
  // Also one of the same length, right after.
  write({{"currency", "GBP"}, {"more", "of it"}});
  from->look();
  EXPECT_EQ(from->get("currency"), "GBP");
}

TEST_P(FileSource, what_breaks_leaves_the_values_from_before_and_is_told_once) {
  write({{"currency", "EUR"}});
  auto from = source();
  ASSERT_TRUE(from->open().has_value());
  break_it();
  ::testing::internal::CaptureStderr();
  from->look();
  from->look();
  std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(from->get("currency"), "EUR");
  EXPECT_THAT(log, HasSubstr("the values from before hold"));
  EXPECT_EQ(log.find("from before"), log.rfind("from before"));
  EXPECT_THAT(log, Not(HasSubstr("hunter2")));
  write({{"currency", "USD"}});
  from->look();
  EXPECT_EQ(from->get("currency"), "USD");
}

TEST_P(FileSource, what_cannot_be_read_is_told_when_it_is_opened) {
  auto none = source()->open();
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message(), HasSubstr(GetParam().path + ": it cannot be read"));
  if (GetParam().name == "folder") return;
  break_it();
  auto broken = source()->open();
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().message(), Not(HasSubstr("hunter2")));
}

TEST_P(FileSource, a_value_that_is_too_long_is_refused) {
  write({{"long", std::string(kValueBytesMax + 1, 'a')}});
  EXPECT_EQ(source()->open().error().code(), Errc::kLimit);
}

INSTANTIATE_TEST_SUITE_P(config, FileSource,
                         ::testing::Values(Driver{"json", "values.json"},
                                           Driver{"toml", "values.toml"},
                                           Driver{"folder", "values"}),
                         [](const auto& driver) { return driver.param.name; });

TEST(Json, tables_in_each_other_are_keys_with_dots) {
  auto values = parse_json(R"({"a": {"b": {"c": "deep"}}, "n": 7, "x": 1.5, "t": true,
                               "none": null, "list": ["x", 2]})");
  ASSERT_TRUE(values.has_value());
  EXPECT_EQ(
      *values,
      (Values{
          {"a.b.c", "deep"}, {"list", R"(["x",2])"}, {"n", "7"}, {"t", "true"}, {"x", "1.5E0"}}));
}

TEST(Json, what_is_no_object_is_refused_and_not_quoted) {
  for (const char* text : {"", "[]", "7", "\"hunter2\"", "{\"hunter2\"", "{\"a\":\"\xff\"}"}) {
    auto values = parse_json(text);
    ASSERT_FALSE(values.has_value()) << text;
    EXPECT_THAT(values.error().message(), Not(HasSubstr("hunter2")));
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  EXPECT_FALSE(parse_json(deep + "1" + std::string(100, '}')).has_value());
}

TEST(Toml, tables_in_each_other_are_keys_with_dots) {
  auto values = parse_toml(
      "currency = \"EUR\"\nmax = 7\nrate = 1.5\nopen = true\n[db]\nhost = \"h\"\n"
      "pool = { size = 2 }\n");
  ASSERT_TRUE(values.has_value()) << values.error().message();
  EXPECT_EQ(*values, (Values{{"currency", "EUR"},
                             {"db.host", "h"},
                             {"db.pool.size", "2"},
                             {"max", "7"},
                             {"open", "true"},
                             {"rate", "1.5"}}));
}

TEST(Toml, what_is_none_is_told_with_its_line_and_not_quoted) {
  auto broken = parse_toml("a = 1\nb = hunter2\n");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().message(), "it is no TOML: line 2");
  auto list = parse_toml("a = 1\nb = [\"hunter2\"]\n");
  ASSERT_FALSE(list.has_value());
  EXPECT_EQ(list.error().message(), "line 2: b is a list or a date: write a string");
  EXPECT_FALSE(parse_toml("[[[").has_value());
  EXPECT_FALSE(parse_toml("a" + std::string(10'000, '.') + "b = 1").has_value());
}

TEST(Folder, a_swapped_link_is_seen_and_what_is_hidden_is_no_key) {
  TestFolder folder;
  fs::path mount = folder.path();
  for (const char* version : {"..1", "..2"}) {
    fs::create_directory(mount / version);
    std::ofstream(mount / version / "currency") << version;
  }
  fs::create_symlink("..1", mount / "..data");
  fs::create_symlink("..data/currency", mount / "currency");
  auto source = file_source(mount.string());
  ASSERT_TRUE(source->open().has_value());
  EXPECT_EQ(source->get("currency"), "..1");
  EXPECT_EQ(source->get("..data"), std::nullopt);
  fs::create_symlink("..2", mount / "..data_tmp");
  fs::rename(mount / "..data_tmp", mount / "..data");
  source->look();
  EXPECT_EQ(source->get("currency"), "..2");
}

TEST(Folder, a_file_of_another_kind_is_refused_with_what_to_name) {
  TestFolder folder;
  std::ofstream(folder.path() / "values.yaml") << "a: 1\n";
  auto opened = file_source((folder.path() / "values.yaml").string())->open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message(), HasSubstr("ends with .json or .toml"));
}

TEST(Environment, a_key_is_the_variable_of_its_name_in_capitals) {
  auto source =
      environment_source("SHOP_", [](std::string_view name) -> std::optional<std::string> {
        if (name == "SHOP_MAX_ITEMS_2") return "7";
        if (name == "SHOP_BYTES") return "\xff";
        return std::nullopt;
      });
  ASSERT_TRUE(source->open().has_value());
  EXPECT_EQ(source->get("max-items.2"), "7");
  EXPECT_EQ(source->get("max"), std::nullopt);
  EXPECT_EQ(source->get("bytes"), std::nullopt);
}

}  // namespace
}  // namespace weft::config
