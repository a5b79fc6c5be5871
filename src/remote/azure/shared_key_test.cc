// Shows that requests are signed as Azure's documentation says, by values that openssl computed,
// and what an operator may write of an account.
#include "remote/azure/shared_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/bytes.h"
#include "remote/azure/access.h"

namespace weft::remote::azure {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using namespace std::chrono_literals;

// Bytes 0 to 63, as an account's key.
constexpr const char* kKey =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
// Friday, 26 June 2015, 23:39:12: the time of the examples in the documentation.
const Signer::Time kTime = Signer::Time(1435361952s);

std::string signed_as(const std::string& account, const ToSign& request, Fields headers) {
  std::string key;
  for (char c = 0; c < 64; ++c) key += c;
  Signer(account, Secret(key)).sign(request, headers, kTime);
  EXPECT_THAT(headers, ::testing::Contains(Pair("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT")));
  return headers.back().second;
}

TEST(SharedKey, AQuestionIsSignedWithItsParametersInOrder) {
  EXPECT_EQ(signed_as("myaccount",
                      {"GET",
                       "/mycontainer",
                       {{"TimeOut", "20"}, {"restype", "container"}, {"comp", "metadata"}}},
                      {}),
            "SharedKey myaccount:5WLHuNE+7L/OTxLakj4TzwF//yM9JxTJqkHt7b9uyp4=");
}

TEST(SharedKey, LengthConditionsRangesAndOwnHeadersAreSigned) {
  EXPECT_EQ(
      signed_as("devstoreaccount1",
                {"PUT", "/devstoreaccount1/c/a%20b", {{"comp", "block"}, {"blockid", "a/b="}}, 11},
                {{"x-ms-meta-weft_name", "6f"},
                 {"if-match", "\"0x8D4\""},
                 {"range", "bytes=0-9"},
                 {"x-ms-blob-type", "BlockBlob"}}),
      "SharedKey devstoreaccount1:o4bih+/a30rcbcXzNGGe02oqrVOqM9qZY0PuUKBcERU=");
}

Access access() {
  return {.account = "acme", .key = Secret(kKey), .container = "things"};
}

TEST(AzureAccess, SaysWhereTheContainerIs) {
  struct Case {
    std::string url, where;
  };
  for (const Case& each :
       {Case{"", "https://acme.blob.core.windows.net"},
        Case{"https://acme.blob.core.usgovcloudapi.net:443/",
             "https://acme.blob.core.usgovcloudapi.net"},
        Case{"http://127.0.0.1:10000/devstoreaccount1/", "http://127.0.0.1:10000/devstoreaccount1"},
        Case{"http://[::1]:80", "http://[::1]"}}) {
    Access mine = access();
    mine.url = Secret(each.url);
    auto settings = read_access(mine);
    ASSERT_TRUE(settings.has_value()) << settings.error().message();
    EXPECT_EQ(settings->scheme + "://" + settings->host + settings->path, each.where);
    EXPECT_EQ(settings->key.reveal().size(), 64U);
    EXPECT_FALSE(unencrypted(*settings));
  }
  Access token{.account = "acme", .sas = Secret("?sv=1&sig=a%2B"), .container = "things"};
  token.url = Secret("http://elsewhere");
  auto settings = read_access(token);
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->sas.reveal(), "sv=1&sig=a%2B");
  EXPECT_TRUE(unencrypted(*settings));
}

TEST(AzureAccess, SaysWhatIsWrong) {
  struct Case {
    std::function<void(Access&)> change;
    std::string says;
  };
  for (const Case& each :
       {Case{[](Access& a) { a.account = ""; }, "no account"},
        Case{[](Access& a) { a.account = "a.b"; }, "no account"},
        Case{[](Access& a) { a.container = "ab"; }, "no container"},
        Case{[](Access& a) { a.container = "A/b"; }, "no container"},
        Case{[](Access& a) { a.key = Secret(); }, "who asks"},
        Case{[](Access& a) { a.sas = Secret("sig=s3cret"); }, "not both"},
        Case{[](Access& a) { a.key = Secret("s3cret!"); }, "no base64"},
        Case{[](Access& a) { a.key = Secret(), a.sas = Secret("s3cret #"); }, "not what Azure"},
        Case{[](Access& a) { a.url = Secret("ftp://x"); }, "https://"},
        Case{[](Access& a) { a.url = Secret("https://me:s3cret@x"); }, "account and key"},
        Case{[](Access& a) { a.url = Secret("https://x/?sig=s3cret"); }, "query"},
        Case{[](Access& a) { a.timeout = 1ms; }, "at least"},
        Case{[](Access& a) { a.ca_file = "/no/ca.pem"; }, "/no/ca.pem"},
        Case{[](Access& a) { a.ca_file = "/no", a.url = Secret("http://x"); }, "TLS"}}) {
    Access mine = access();
    each.change(mine);
    auto read = read_access(mine);
    ASSERT_FALSE(read.has_value()) << each.says;
    EXPECT_THAT(read.error().message(), HasSubstr(each.says));
    EXPECT_THAT(read.error().message(), Not(HasSubstr("s3cret")));
  }
}

}  // namespace
}  // namespace weft::remote::azure
