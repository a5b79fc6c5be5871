// Names of interfaces match as Wasmtime's linker has it.
#include "app/interface_name.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

bool fits(std::string_view offered, std::string_view wanted) {
  return serves(InterfaceName::of(offered), InterfaceName::of(wanted));
}

TEST(InterfaceName, VersionsOfOneTrackServeEachOther) {
  EXPECT_TRUE(fits("a:b/c@1.2.3", "a:b/c@1.9.0"));
  EXPECT_TRUE(fits("a:b/c@1.9.0", "a:b/c@1.2.3"));
  EXPECT_TRUE(fits("a:b/c@0.2.0", "a:b/c@0.2.12"));
  EXPECT_TRUE(fits("a:b/c@1.0.0+x", "a:b/c@1.0.1"));
  EXPECT_TRUE(fits("a:b/c", "a:b/c"));
}

TEST(InterfaceName, OthersOnlyThemselves) {
  EXPECT_FALSE(fits("a:b/c@1.0.0", "a:b/c@2.0.0"));
  EXPECT_FALSE(fits("a:b/c@0.2.0", "a:b/c@0.3.0"));
  EXPECT_FALSE(fits("a:b/c@0.0.1", "a:b/c@0.0.2"));
  EXPECT_FALSE(fits("a:b/c@1.0.0-draft", "a:b/c@1.0.0"));
  EXPECT_TRUE(fits("a:b/c@1.0.0-draft", "a:b/c@1.0.0-draft"));
  EXPECT_FALSE(fits("a:b/c@1.0.0", "a:b/c"));
  EXPECT_FALSE(fits("a:b/c@1.0.0", "a:b/d@1.0.0"));
}

TEST(InterfaceName, WrittenWithoutAVersionItMeansEach) {
  auto wanted = InterfaceName::of("a:b/c@1.2.0");
  EXPECT_TRUE(means(InterfaceName::of("a:b/c"), wanted));
  EXPECT_TRUE(means(InterfaceName::of("a:b/c@1.0.0"), wanted));
  EXPECT_FALSE(means(InterfaceName::of("a:b/c@2.0.0"), wanted));
  EXPECT_FALSE(means(InterfaceName::of("a:b"), wanted));
}

}  // namespace
}  // namespace weft
