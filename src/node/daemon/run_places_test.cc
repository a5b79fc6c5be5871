// Shows that a run is found as long as it is under way, and that those that ended are bounded.
#include "node/daemon/run_places.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace weft::node::daemon {
namespace {

Hash numbered(std::size_t number) {
  return Hash::of(as_bytes(std::to_string(number)));
}

TEST(RunPlaces, OneUnderWayIsFoundHoweverManyCameAfterIt) {
  RunPlaces places;
  places.add(numbered(0), {.group = "friends"});
  for (std::size_t i = 1; i <= kEndedPlacesMax + 1; ++i) {
    places.add(numbered(i), {.group = "others"});
    places.ended(numbered(i));
  }
  ASSERT_TRUE(places.find(numbered(0)));
  EXPECT_EQ(places.find(numbered(0))->group, "friends");
  EXPECT_FALSE(places.find(numbered(1)));
  EXPECT_TRUE(places.find(numbered(2)));
}

}  // namespace
}  // namespace weft::node::daemon
