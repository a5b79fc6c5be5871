// Shows how a server's URL is taken apart, and that a wrong one is never shown.
#include "remote/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::remote {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerUrlTest, HasAllItsParts) {
  auto url = ServerUrl::parse("rediss://us%40er:p%3Ass@cache.example.com:6380/2");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->scheme, "rediss");
  EXPECT_EQ(url->user, "us@er");
  EXPECT_EQ(url->password.reveal(), "p:ss");
  EXPECT_EQ(url->host, "cache.example.com");
  EXPECT_EQ(url->port, 6380);
  EXPECT_EQ(url->path, "2");
}

TEST(ServerUrlTest, NeedsNoMoreThanAHost) {
  auto url = ServerUrl::parse("redis://[::1]");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 0);
  EXPECT_EQ(url->path, "");
  EXPECT_EQ((Endpoint{url->host, 1}).text(), "[::1]:1");
}

TEST(ServerUrlTest, SaysWhatIsWrongWithoutShowingIt) {
  for (const char* text :
       {"s3cret", "://s3cret", "redis://", "redis://u:s3cret@", "redis://u:s3cret@h:port",
        "redis://u:s3cret@h:0", "redis://u:s3cret@h:65536", "redis://u:s3cret%2@h",
        "redis://u:s3cret@[::1", "redis://u:s3cret@[::1]x", "redis://u:s3cret@h/0?x=y"}) {
    auto url = ServerUrl::parse(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().code(), Errc::kInvalid);
    EXPECT_THAT(url.error().message(), Not(HasSubstr("s3cret")));
  }
}

TEST(ServerUrlTest, HasTheSchemesOfItsDriver) {
  constexpr ServerUrl::Form kForm{"mqtt", "mqtts", 1883};
  EXPECT_TRUE(ServerUrl::parse("mqtt://h", kForm).has_value());
  EXPECT_TRUE(ServerUrl::parse("mqtts://h", kForm).has_value());
  auto said = [&](const char* text) {
    return std::string(ServerUrl::parse(text, kForm).error().message());
  };
  EXPECT_EQ(said("redis://u:s3cret@h"),
            "the URL begins with redis://, as one for the driver \"redis\" does: write mqtt:// or, "
            "with TLS, mqtts://");
  EXPECT_EQ(said("http://h"), "the URL begins with http://: write mqtt:// or, with TLS, mqtts://");
  EXPECT_EQ(said("s3cret://h"), "the URL's scheme: write mqtt:// or, with TLS, mqtts://");
  EXPECT_EQ(said("s3cret:1883"),
            "the URL has no scheme: write mqtt://HOST:1883 or, with TLS, mqtts://HOST");
}

}  // namespace
}  // namespace weft::remote
