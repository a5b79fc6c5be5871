// Shows how a call is cut up, and which function is meant or proposed.

#include "values/call_text.h"

#include <gmock/gmock.h>

#include <array>

#include "values/testing.h"

namespace weft::testing {
namespace {

using ::testing::HasSubstr;

TEST(CallText, IsCutIntoInterfaceNameAndArguments) {
  auto call = cut_call("acme:ml/infer@1.0.0#run(\"a#b(c\")");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->function.interface, "acme:ml/infer@1.0.0");
  EXPECT_EQ(call->function.name, "run");
  EXPECT_EQ(call->arguments, 23u);
  auto root = cut_call(" add (1, 2)");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->function, (FunctionName{"", "add"}));
  auto bare = cut_call("acme:ml/infer#[static]model.load");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->function.name, "[static]model.load");
  EXPECT_FALSE(bare->arguments);
  for (std::string_view text : {"", "  ", "(1)", "#f()", "acme:ml/infer#", "acme:ml/infer#(1)"}) {
    EXPECT_FALSE(cut_call(text)) << text;
  }
}

constexpr std::array<FunctionName, 5> kKnown{{{"acme:a/one@1.0.0", "run"},
                                              {"acme:a/one@2.0.0", "run"},
                                              {"acme:a/one@2.0.0", "count-all"},
                                              {"acme:a/two", "start"},
                                              {"", "add"}}};

TEST(FindFunction, TakesTheOnlyVersion) {
  auto find = [](std::string_view interface, std::string_view name) {
    auto found = find_function(kKnown, {interface, name});
    return found ? std::to_string(*found) : found.error().message();
  };
  EXPECT_EQ(find("acme:a/one@1.0.0", "run"), "0");
  EXPECT_EQ(find("acme:a/one", "count-all"), "2");
  EXPECT_EQ(find("", "add"), "4");
  EXPECT_THAT(
      find("acme:a/one", "run"),
      HasSubstr("several versions: write one of acme:a/one@1.0.0#run, acme:a/one@2.0.0#run"));
}

TEST(FindFunction, ProposesWhatWasMeant) {
  auto problem = [](std::string_view interface, std::string_view name) {
    auto found = find_function(kKnown, {interface, name});
    return found ? "found" : found.error().message();
  };
  EXPECT_THAT(problem("", "start"), HasSubstr("did you mean acme:a/two#start?"));
  EXPECT_THAT(problem("acme:a/one@2.0.0", "count-al"),
              HasSubstr("did you mean acme:a/one@2.0.0#count-all?"));
  EXPECT_THAT(problem("acme:a/won", "count-al"),
              HasSubstr("did you mean acme:a/one@2.0.0#count-all?"));
  EXPECT_THAT(problem("", "ad"), HasSubstr("did you mean add?"));
  EXPECT_THAT(problem("", "entirely-different"),
              HasSubstr("what is there: acme:a/one@1.0.0#run, acme:a/one@2.0.0#run"));
  EXPECT_THAT(find_function({}, {"", "f"}).error().message(), HasSubstr("it exports none"));
}

}  // namespace
}  // namespace weft::testing
