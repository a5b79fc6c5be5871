// Shows that the first three messages come back as they were, and what is wrong with those that do
// not read.

#include "provider/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::provider {
namespace {

using ::testing::HasSubstr;

std::string refusal(std::string_view text) {
  auto read = read_ready(text);
  return read ? "it was read" : read.error().message();
}

TEST(Handshake, GoesThereAndBack) {
  EXPECT_EQ(token_of_hello(hello_text("a\"b")), "a\"b");
  SetupMessage setup{.token = "t",
                     .app = "shop",
                     .name = "resize",
                     .configuration_json = R"({"quality":80})",
                     .secrets = {{"key", Secret("\"\\\n\xc3\xa9")}}};
  auto read = read_setup(setup_text(setup).reveal());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->token, "t");
  EXPECT_EQ(read->app, "shop");
  EXPECT_EQ(read->name, "resize");
  EXPECT_EQ(read->configuration_json, R"({"quality":80})");
  ASSERT_EQ(read->secrets.size(), 1U);
  EXPECT_TRUE(read->secrets[0] == setup.secrets[0]);
  Offer offer{{.name = "a:b/c", .functions = {{"f", "func(a: u8)"}, {"g", "func() -> own<r>"}}},
              {.name = "a:b/empty", .functions = {}}};
  EXPECT_EQ(read_ready(ready_text(offer)), offer);
}

TEST(Handshake, SaysWhatDoesNotRead) {
  EXPECT_THAT(refusal("["), HasSubstr("no JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("no list \"interfaces\""));
  EXPECT_THAT(refusal(R"({"interfaces": [1]})"), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(R"({"interfaces": [{"name": 1, "functions": []}]})"),
              HasSubstr("no text \"name\""));
  EXPECT_THAT(refusal(ready_text({{.name = "a:b/c", .functions = {{"f", "func(a: nonsense)"}}}})),
              HasSubstr("a:b/c f: the type cannot be read"));
  EXPECT_THAT(
      refusal(ready_text({{.name = "a:b/c", .functions = {{"f", "func()"}, {"f", "func()"}}}})),
      HasSubstr("f is there twice"));
  EXPECT_THAT(
      refusal(ready_text({{.name = "a:b/c", .functions = {}}, {.name = "a:b/c", .functions = {}}})),
      HasSubstr("a:b/c is there twice"));
  EXPECT_FALSE(token_of_hello(R"({"token": 1})"));
  EXPECT_FALSE(read_setup(R"({"token": "t", "app": "a", "name": "n", "secrets": {"s": 1}})"));
}

TEST(Handshake, SaysHowOffersDiffer) {
  Offer one{{.name = "a:b/c", .functions = {{"f", "func()"}}}};
  Offer other = one;
  EXPECT_EQ(difference(one, other), "nothing differs");
  other[0].functions[0].signature = "func(a: u8)";
  EXPECT_THAT(difference(one, other), HasSubstr("functions of a:b/c"));
  other[0].name = "a:b/d";
  EXPECT_THAT(difference(one, other), HasSubstr("serves a:b/d in its place"));
  EXPECT_THAT(difference(one, {}), HasSubstr("serves 0"));
  EXPECT_NE(random_token(), random_token());
}

}  // namespace
}  // namespace weft::provider
