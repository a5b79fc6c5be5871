// Shows that every key and every bucket has a name of its own that NATS takes, which tells the key
// again.
#include "capabilities/keyvalue/drivers/nats/names.h"

#include <gtest/gtest.h>

#include <set>

#include "remote/nats/protocol.h"

namespace weft::keyvalue::nats {
namespace {

TEST(NatsNames, LeaveAKeyAsItIsWhereNatsTakesIt) {
  for (std::string_view key : {"carts", "a/b", "a.b", "A-z_0", "user.1/cart"}) {
    EXPECT_EQ(escape_key(key), key);
  }
  EXPECT_EQ(escape_key(""), "=");
  EXPECT_EQ(escape_key("a b"), "a=20b");
  EXPECT_EQ(escape_key("a=b"), "a=3Db");
  EXPECT_EQ(escape_key(".a..b."), "=2Ea.=2Eb=2E");
  EXPECT_EQ(escape_key("*.>"), "=2A.=3E");
}

TEST(NatsNames, TellEveryKeyAgainAndNoTwoAlike) {
  std::set<std::string> seen;
  constexpr std::string_view kLetters = "a.=4F*> /\xff";
  std::vector<std::string> keys{""};
  for (std::size_t at = 0; keys.back().size() < 4; ++at) {
    for (char c : kLetters) keys.push_back(keys[at] + c);
  }
  keys.push_back(std::string(1024, '.'));
  keys.push_back(std::string("\0\r\n\t", 4));
  for (const std::string& key : keys) {
    std::string name = escape_key(key);
    EXPECT_TRUE(remote::nats::is_subject("$KV.b." + name)) << name;
    EXPECT_EQ(unescape_key(name), key) << name;
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

TEST(NatsNames, AreOnlyReadAsTheyAreWritten) {
  for (std::string_view text : {"=4", "=4g", "=2f", "=41", "a=", ".a", "a b", "\xc3\xa9", "=ZZ"}) {
    EXPECT_EQ(unescape_key(text), std::nullopt) << text;
  }
  EXPECT_EQ(unescape_key(escape_key(std::string(kKeyBytesMax + 1, 'a'))), std::nullopt);
}

TEST(NatsNames, KeepBucketsApart) {
  EXPECT_EQ(bucket_name("weft", {"shop", "carts"}), "weft__shop__carts");
  EXPECT_EQ(bucket_name("weft", {"shop", ""}), "weft__shop__");
  EXPECT_EQ(bucket_name("weft", {"my_app", "a.b"}), "weft__my_5Fapp__a_2Eb");
  std::set<std::string> seen;
  std::string longest(kBucketNameBytesMax, 'n');
  for (BucketName name :
       {BucketName{"a", "b__c"}, BucketName{"a__b", "c"}, BucketName{"a_", "_b"},
        BucketName{"a", ""}, BucketName{"", "a"}, BucketName{"a__", ""}, BucketName{longest, "x"},
        BucketName{longest, longest}, BucketName{longest, "y"}}) {
    std::string bucket = bucket_name("weft", name);
    EXPECT_LE(bucket.size(), kBucketBytesMax);
    EXPECT_TRUE(seen.insert(bucket).second) << bucket;
  }
}

}  // namespace
}  // namespace weft::keyvalue::nats
