// Shows that a log that was damaged where it lies takes what is published, and brings it.
#include "capabilities/messaging/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace weft::messaging {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t kEpoch = std::uint64_t{1} << 32;
constexpr std::int64_t kNow = 1'000'000'000'000;

TEST(DamagedLogs, BringWhatIsKeptToAGroupThatStandsBeyondAll) {
  Log log;
  log.expect("g", ">");
  Standing damaged{.position = std::numeric_limits<std::uint64_t>::max(), .seen_ms = kNow};
  log.started(3, {2 * kEpoch, 2 * kEpoch + 1}, {{"g", damaged}}, kNow);
  EXPECT_THAT(log.after(log.standing("g").position, 10), ElementsAre(2 * kEpoch, 2 * kEpoch + 1));
  auto place = log.reserve("t");
  ASSERT_TRUE(place.has_value() && *place);
  EXPECT_EQ((*place)->sequence, 3 * kEpoch);
}

TEST(DamagedLogs, GiveNoNumberTwice) {
  Log log;
  log.expect("g", ">");
  log.started(1, {7 * kEpoch + 5}, {}, kNow);
  EXPECT_EQ((*log.reserve("t"))->sequence, 8 * kEpoch);
  Log beyond;
  beyond.expect("g", ">");
  beyond.started(std::numeric_limits<std::uint64_t>::max(),
                 {7 * kEpoch, std::numeric_limits<std::uint64_t>::max()}, {}, kNow);
  EXPECT_EQ((*beyond.reserve("t"))->sequence, 8 * kEpoch);
}

TEST(DamagedLogs, KeepGroupsThatWereSeenAtNoTimeThatThereWas) {
  for (std::int64_t seen : {std::numeric_limits<std::int64_t>::max(), kNow + 1}) {
    Log log;
    log.started(1, {}, {{"g", Standing{.seen_ms = seen}}}, kNow);
    EXPECT_TRUE(log.due(kNow).empty());
  }
  Log log;
  Standing never{.seen_ms = std::numeric_limits<std::int64_t>::min()};
  log.started(1, {}, {{"g", never}}, kNow);
  EXPECT_THAT(log.due(kNow), ElementsAre("g"));
}

}  // namespace
}  // namespace weft::messaging
