// Shows that requests are signed as Amazon's published examples are.
#include "remote/aws/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft::remote::aws {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// 2013-05-24, midnight: the time of the examples in S3's manual.
const Signer::Time kExampleTime = Signer::Time(1369353600s);

Signer example_signer(std::string token = {}) {
  return Signer({"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                 Secret(std::move(token))},
                "us-east-1", "s3");
}

std::string authorization(Signer signer, const ToSign& request, Fields headers,
                          Signer::Time now = kExampleTime) {
  signer.sign(request, headers, now);
  return headers.back().second;
}

const std::string& nothing_hashed() {
  static const std::string hash = sha256_hex({});
  return hash;
}

constexpr std::string_view kHost = "examplebucket.s3.amazonaws.com";

TEST(Sigv4, AnObjectIsAskedForAsInTheManual) {
  std::string line =
      authorization(example_signer(), {"GET", "/test.txt", "", kHost, nothing_hashed()},
                    {{"range", "bytes=0-9"}});
  EXPECT_EQ(line,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Sigv4, AnObjectIsPutAsInTheManual) {
  std::string body = "Welcome to Amazon S3.";
  std::string line = authorization(
      example_signer(),
      {"PUT", encoded_path("/test$file.text"), "", kHost, sha256_hex(as_bytes(body))},
      {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}});
  EXPECT_THAT(line, EndsWith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(Sigv4, QueriesAreSignedAsInTheManual) {
  std::string lifecycle = authorization(
      example_signer(), {"GET", "/", canonical_query({{"lifecycle", ""}}), kHost, nothing_hashed()},
      {});
  EXPECT_THAT(lifecycle,
              EndsWith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  std::string list = authorization(
      example_signer(),
      {"GET", "/", canonical_query({{"prefix", "J"}, {"max-keys", "2"}}), kHost, nothing_hashed()},
      {});
  EXPECT_THAT(list, EndsWith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(Sigv4, AllThatIsSentIsSignedAndTheDaysKeyIsMadeAnew) {
  ToSign request{"GET", "/", "", kHost, kUnsignedPayload};
  EXPECT_THAT(authorization(example_signer("a-token"), request, {}),
              HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token"));
  Signer signer = example_signer();
  Fields first, other_day, again;
  signer.sign(request, first, kExampleTime);
  signer.sign(request, other_day, kExampleTime + 24h);
  signer.sign(request, again, kExampleTime);
  EXPECT_NE(first.back(), other_day.back());
  EXPECT_EQ(first, again);
  Fields spaced{{"x-amz-meta-a", "  one   two "}}, plain{{"x-amz-meta-a", "one two"}};
  signer.sign(request, spaced, kExampleTime);
  signer.sign(request, plain, kExampleTime);
  EXPECT_EQ(spaced.back(), plain.back());
}

TEST(Sigv4, NoByteOfANameEscapesItsEncoding) {
  EXPECT_EQ(encoded("aZ9-._~ /+%&=\n\xc3\xa9"), "aZ9-._~%20%2F%2B%25%26%3D%0A%C3%A9");
  EXPECT_EQ(encoded_path("/a b/ü"), "/a%20b/%C3%BC");
  EXPECT_EQ(canonical_query({{"b", "2"}, {"a b", "1&"}}), "a%20b=1%26&b=2");
}

}  // namespace
}  // namespace weft::remote::aws
