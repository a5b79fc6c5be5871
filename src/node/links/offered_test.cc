// Shows which library and which functions of a description a link gets, and what is said where they
// do not fit.
#include "node/links/offered.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::node::links {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

library::Library words(const std::string& version) {
  return {.name = "acme:words",
          .version = version,
          .module = Hash::of(as_bytes(version)),
          .functions = {{"acme:words/count@" + version + "#count", "func(text: string) -> u32"},
                        {"alone", "func()"}}};
}

NodeImport count(const std::string& interface, const std::string& signature) {
  return {.library = "acme:words",
          .import = interface,
          .interface = interface,
          .who = "library acme:words of node attic",
          .functions = {
              {.interface = interface, .implements = "", .name = "count", .signature = signature}}};
}

TEST(Offered, TheNewestOfAVersionIsMeant) {
  client::Description node{.libraries = {words("1.2.0"), words("1.10.0"), words("1.2.7")}};
  EXPECT_EQ((*find_library(node, "acme:words"))->version, "1.10.0");
  EXPECT_EQ((*find_library(node, "acme:words@1.2"))->version, "1.2.7");
  EXPECT_EQ((*find_library(node, "acme:words@1.2.0"))->version, "1.2.0");
  auto none = find_library(node, "acme:words@1.1");
  EXPECT_EQ(none.error().code(), Errc::kNotFound);
  EXPECT_THAT(none.error().message(), HasSubstr("acme:words@1.10.0"));
}

TEST(Offered, AKeyWithoutTheRightIsToldSo) {
  auto stranger = offer_of({.name = "attic"}, "");
  EXPECT_EQ(stranger.error().code(), Errc::kDenied);
  EXPECT_THAT(stranger.error().message(), HasSubstr("it is in no group"));
  EXPECT_TRUE(offer_of({.may = "describe, call"}, ""));
}

TEST(Offered, AnImportIsBoundToWhatServesItInSomeVersion) {
  client::Description node{.may = "call", .libraries = {words("1.2.0")}};
  auto offer = offer_of(node, "acme:words");
  ASSERT_TRUE(offer) << offer.error().message();
  EXPECT_EQ(offer->exports.size(), 1u);
  auto bound = bind(count("acme:words/count@1.1.0", "func(text: string) -> u32"), *offer);
  ASSERT_TRUE(bound) << bound.error().message();
  EXPECT_EQ(bound->module, node.libraries[0].module);
  EXPECT_EQ(bound->functions, std::vector<std::string>{"acme:words/count@1.2.0#count"});
}

TEST(Offered, WhatDoesNotFitIsNamedWithBothTypes) {
  client::Description node{.may = "call", .libraries = {words("1.2.0")}};
  auto offer = *offer_of(node, "acme:words");
  auto wrong = bind(count("acme:words/count@1.2.0", "func(text: string) -> u64"), offer);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Errc::kUnsupported);
  EXPECT_THAT(wrong.error().message(),
              AllOf(HasSubstr("library acme:words of node attic"), HasSubstr("-> u64"),
                    HasSubstr("-> u32"), HasSubstr("count")));
  EXPECT_FALSE(bind(count("acme:words/count@2.0.0", "func(text: string) -> u32"), offer));
}

}  // namespace
}  // namespace weft::node::links
