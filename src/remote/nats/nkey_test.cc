// Shows that an nkey signs as NATS's own do, and that what is none is refused and not shown.
#include "remote/nats/nkey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::remote::nats {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The pair that NATS's documentation has.
constexpr std::string_view kSeed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
constexpr std::string_view kPublic = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

TEST(NkeyTest, HasThePublicKeyOfItsSeed) {
  auto key = Nkey::from_seed(kSeed);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->public_key(), kPublic);
}

TEST(NkeyTest, SignsTheSameNonceAlike) {
  auto key = Nkey::from_seed(kSeed);
  std::string signature = key->sign("nonce");
  EXPECT_EQ(signature.size(), 86U);
  EXPECT_EQ(signature, key->sign("nonce"));
  EXPECT_NE(signature, key->sign("nonce2"));
  EXPECT_EQ(signature.find_first_of("+/="), std::string::npos);
}

TEST(NkeyTest, RefusesWhatIsNoSeedOfAUserAndDoesNotShowIt) {
  std::string wrong(kSeed);
  wrong[20] = wrong[20] == 'A' ? 'B' : 'A';
  for (const std::string& seed :
       {std::string(), std::string("SU"), std::string(kPublic), wrong, std::string(58, 'S'),
        std::string(kSeed) + "A", std::string("suacssl3")}) {
    auto key = Nkey::from_seed(seed);
    ASSERT_FALSE(key.has_value()) << seed;
    EXPECT_EQ(key.error().code(), Errc::kInvalid);
    if (!seed.empty() && seed != "SU") {
      EXPECT_THAT(key.error().message(), Not(HasSubstr(seed)));
    }
  }
}

TEST(NkeyTest, ReadsAFileOfCredentials) {
  std::string text =
      "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.c2ln\n------END NATS USER JWT------\n";
  text += "\n*** keep it ***\n\n-----BEGIN USER NKEY SEED-----\n" + std::string(kSeed) +
          "\r\n------END USER NKEY SEED------\n";
  auto found = parse_credentials(text);
  ASSERT_TRUE(found.has_value()) << found.error().message();
  EXPECT_EQ(found->jwt.reveal(), "eyJ0.eyJq.c2ln");
  EXPECT_EQ(found->seed.reveal(), kSeed);
  EXPECT_FALSE(parse_credentials(text.substr(0, 80)).has_value());
  EXPECT_FALSE(parse_credentials("").has_value());
}

}  // namespace
}  // namespace weft::remote::nats
