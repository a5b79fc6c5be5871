// Shows what is due when nobody was there for a while, and that a record is read as it was written.
#include "capabilities/cron/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/cron/schedule.h"

namespace weft::cron {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A full hour.
const sys_seconds kNoon = sys_seconds(1'795'694'400s);

TEST(Records, AreReadAsWritten) {
  Record record{kNoon, UINT64_MAX};
  auto read = Record::parse(record.text());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->done, kNoon);
  EXPECT_EQ(read->token, UINT64_MAX);
  for (auto wrong : {"", "1", "1 ", "x 1", "1 x", "1 1 ", "1 -1"}) {
    EXPECT_FALSE(Record::parse(wrong).has_value()) << wrong;
  }
}

TEST(MissedRuns, AreSkippedRunOnceOrAll) {
  Schedule hourly = *Schedule::parse("0 * * * *");
  auto runs = [&](sys_seconds done, sys_seconds now, Missed missed) {
    return due(hourly, Zone::utc(), done, now, missed);
  };
  // In time.
  for (Missed missed : {Missed::kSkip, Missed::kOnce, Missed::kAll}) {
    EXPECT_THAT(runs(kNoon - 1h, kNoon - 1s, missed), IsEmpty());
    EXPECT_THAT(runs(kNoon - 1h, kNoon, missed), ElementsAre(kNoon));
    EXPECT_THAT(runs(kNoon, kNoon + 30min, missed), IsEmpty());
  }
  // Three hours later.
  EXPECT_THAT(runs(kNoon - 1h, kNoon + 2h + 30min, Missed::kSkip), IsEmpty());
  EXPECT_THAT(runs(kNoon - 1h, kNoon + 2h + 30s, Missed::kSkip), ElementsAre(kNoon + 2h));
  EXPECT_THAT(runs(kNoon - 1h, kNoon + 2h + 30min, Missed::kOnce), ElementsAre(kNoon + 2h));
  EXPECT_THAT(runs(kNoon - 1h, kNoon + 2h + 30min, Missed::kAll),
              ElementsAre(kNoon, kNoon + 1h, kNoon + 2h));
  // After a year it is the last hundred.
  auto all = runs(kNoon - 24h * 365, kNoon, Missed::kAll);
  EXPECT_EQ(all.size(), kMissedMax);
  EXPECT_EQ(all.back(), kNoon);
}

TEST(MissedRuns, HaveTheirNames) {
  EXPECT_EQ(*read_missed(""), Missed::kSkip);
  EXPECT_EQ(*read_missed("once"), Missed::kOnce);
  EXPECT_EQ(*read_missed("all"), Missed::kAll);
  EXPECT_FALSE(read_missed("none").has_value());
}

}  // namespace
}  // namespace weft::cron
