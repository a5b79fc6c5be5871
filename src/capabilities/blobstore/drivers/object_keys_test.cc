// Shows that names and keys stand for each other, in the same order, and that no two meet.
#include "capabilities/blobstore/drivers/object_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace weft::blobstore {
namespace {

TEST(ObjectKeys, OrdinaryNamesAreTheirKeys) {
  ObjectKeys keys("shop/assets/");
  for (std::string name :
       {"a", "a/b c/d.txt", "photo (1).jpg", "~", "%2F", "\xc3\xa9", "!wef", ".x"}) {
    auto key = keys.of(name);
    EXPECT_EQ(key.text, "shop/assets/" + name);
    EXPECT_FALSE(keys.reserved(key.text));
    EXPECT_EQ(keys.name_of(key.text), name);
  }
}

TEST(ObjectKeys, OthersAreSpelledInTheOrderOfTheirBytes) {
  ObjectKeys keys("p/");
  std::vector<std::string> names = {
      "..",  "/a", "a//b", "a/",     "a.",     "!weft", "!weft/x",
      "a\n", ".",  "\x7f", "a/../b", "x\x01y", "x\x01", std::string("\0", 1)};
  std::ranges::sort(names);
  std::vector<std::string> spelled;
  for (const std::string& name : names) {
    auto key = keys.of(name);
    EXPECT_TRUE(keys.reserved(key.text)) << name;
    auto text = keys.spelled(key.text);
    ASSERT_TRUE(text.has_value());
    EXPECT_FALSE(text->hashed);
    EXPECT_EQ(ObjectKeys::unspelled(text->text), name);
    EXPECT_LT(key.text, keys.behind_special());
    spelled.push_back(key.text);
  }
  EXPECT_TRUE(std::ranges::is_sorted(spelled));
}

TEST(ObjectKeys, KeysKeepTheBoundAndTheOrderForNamesOfAnyLength) {
  // The longest prefix that there is.
  std::string longest(kContainerNameBytesMax, '/');
  ObjectKeys keys(container_prefix({longest, longest}));
  std::minstd_rand random(42);
  constexpr std::string_view kLetters = "a/.\x01\xc3~0!";
  std::vector<std::string> names;
  for (int i = 0; i < 2000; ++i) {
    std::string name(1 + random() % kObjectNameBytesMax, '/');
    // Most differ late, so that they are spelled alike for long.
    for (std::size_t at = random() % 2 == 0 ? 0 : name.size() * 9 / 10; at < name.size(); ++at) {
      name[at] = kLetters[random() % kLetters.size()];
    }
    names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  std::set<std::string> seen;
  std::string before;
  std::size_t hashed = 0;
  for (const std::string& name : names) {
    auto key = keys.of(name);
    EXPECT_LE(key.text.size(), ObjectKeys::kKeyBytesMax);
    EXPECT_TRUE(seen.insert(key.text).second);
    if (!keys.reserved(key.text)) continue;
    auto text = keys.spelled(key.text);
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(text->hashed, key.hashed);
    EXPECT_LE(before, text->text);
    EXPECT_LE(keys.special_after(name), key.text);
    before = text->text;
    hashed += key.hashed ? 1 : 0;
    if (!key.hashed) EXPECT_EQ(ObjectKeys::unspelled(text->text), name);
  }
  EXPECT_GT(hashed, 100U);
}

TEST(ObjectKeys, WhatSomebodyElsePutThereHasNoName) {
  ObjectKeys keys("p/");
  for (std::string_view text : {"!", "!2", "!2g", "!41", "a-b", "~7D"}) {
    EXPECT_EQ(ObjectKeys::unspelled(text), std::nullopt) << text;
  }
  EXPECT_EQ(keys.spelled("p/!weft/" + std::string(601, 'a')), std::nullopt);
  EXPECT_EQ(keys.spelled("p/a"), std::nullopt);
}

TEST(ObjectKeys, ContainersNeverShareAPrefix) {
  std::set<std::string> seen;
  std::string longest(kContainerNameBytesMax, '/');
  for (const ContainerName& name :
       {ContainerName{"a", "b"}, ContainerName{"a/b", "c"}, ContainerName{"a", "b/c"},
        ContainerName{"", "a"}, ContainerName{"..", "."}, ContainerName{"%", "a"},
        ContainerName{longest, "a"}, ContainerName{longest.substr(1), "a"}}) {
    std::string prefix = container_prefix(name);
    EXPECT_TRUE(prefix.ends_with("/"));
    EXPECT_EQ(std::ranges::count(prefix, '/'), 2);
    EXPECT_TRUE(seen.insert(prefix).second) << prefix;
  }
  EXPECT_EQ(container_prefix({"shop", "assets"}), "shop/assets/");
}

}  // namespace
}  // namespace weft::blobstore
