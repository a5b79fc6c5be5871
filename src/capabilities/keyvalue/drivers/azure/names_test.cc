// Shows that every key is spelled as a blob's name in its order, and back.
#include "capabilities/keyvalue/drivers/azure/names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace weft::keyvalue::azure {
namespace {

TEST(AzureKeys, AreSpelledInTheirOrderAndBack) {
  std::vector<std::string> keys{"",     std::string(1, '\0'),
                                "!",    "~",
                                "a",    "A/b.c",
                                "\xff", "sn\u00f6w",
                                "0",    "cart-1",
                                "[",    "\\",
                                "]",    "a\\b"};
  std::mt19937 random(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string key;
    for (unsigned size = random() % 12; key.size() < size;) {
      key += static_cast<char>(random() % 4 == 0 ? random() % 256 : "-./0Z[\\]"[random() % 8]);
    }
    keys.push_back(key);
  }
  std::ranges::sort(keys);
  std::string before;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Spelled name = spelled(keys[i]);
    EXPECT_FALSE(name.hashed);
    EXPECT_EQ(unspelled(name.text), keys[i]);
    EXPECT_FALSE(name.text.empty());
    EXPECT_EQ(name.text.find_first_of("/.\\"), std::string::npos) << name.text;
    if (i > 0 && keys[i - 1] != keys[i]) EXPECT_LT(before, name.text);
    before = name.text;
  }
}

TEST(AzureKeys, ThatAreLongEndWithAHash) {
  std::set<std::string> names;
  for (std::string key : {std::string(1023, 'x') + "1", std::string(1023, 'x') + "2",
                          std::string(1024, '\0'), std::string(601, 'x')}) {
    Spelled name = spelled(key);
    EXPECT_TRUE(name.hashed);
    EXPECT_EQ(name.text.size(), kSpelledMax + 65);
    EXPECT_EQ(unspelled(name.text), std::nullopt);
    names.insert(name.text);
  }
  EXPECT_EQ(names.size(), 4U);
  EXPECT_FALSE(spelled(std::string(kSpelledMax, 'x')).hashed);
}

TEST(AzureKeys, OfOthersAreNone) {
  for (const char* text : {"", "a!2", "a!", "!61", "~41", "a.b", "!2f", "x~"}) {
    EXPECT_EQ(unspelled(text), std::nullopt) << text;
  }
}

TEST(AzureKeys, OfTwoBucketsNeverMeet) {
  std::set<std::string> prefixes;
  std::string longest(250, '/');
  for (auto [owner, name] :
       std::vector<std::pair<std::string, std::string>>{{"a", "bc"},
                                                        {"ab", "c"},
                                                        {"abc", ""},
                                                        {"", "abc"},
                                                        {"a/b", "c"},
                                                        {"a", "b/c"},
                                                        {"..", ""},
                                                        {longest, longest},
                                                        {longest, longest.substr(1) + "x"}}) {
    std::string prefix = bucket_prefix("p", owner, name);
    EXPECT_TRUE(prefixes.insert(prefix).second) << prefix;
    EXPECT_LE(prefix.size(), 1024 - kSpelledMax - 65);
    EXPECT_EQ(std::ranges::count(prefix, '/'), 3) << prefix;
  }
}

}  // namespace
}  // namespace weft::keyvalue::azure
