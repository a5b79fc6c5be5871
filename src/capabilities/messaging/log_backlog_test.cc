// Shows what is counted as waiting for a group: what is open, and what it has not looked at.
#include "capabilities/messaging/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::messaging {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::int64_t kNow = 1'000'000'000'000;

std::uint64_t keep(Log& log, std::string_view topic) {
  auto place = log.reserve(topic);
  if (!place || !*place) return 0;
  log.published(**place, {});
  return (*place)->sequence;
}

TEST(Backlogs, AreWhatGroupsHaveNotDoneWith) {
  Log log;
  EXPECT_THAT(log.backlogs(), IsEmpty());
  log.expect("early", ">");
  log.started(1, {}, {}, kNow);
  std::uint64_t first = keep(log, "t");
  keep(log, "t");
  log.expect("late", ">");
  std::uint64_t last = keep(log, "t");
  EXPECT_THAT(log.backlogs(), ElementsAre(Pair("early", 3), Pair("late", 1)));
  log.stands("early", {.position = last, .open = {{first, 1}}, .seen_ms = kNow});
  EXPECT_THAT(log.backlogs(), ElementsAre(Pair("early", 2), Pair("late", 1)));
  log.stands("early", {.position = last + 1, .seen_ms = kNow});
  log.stands("late", {.position = last + 1, .seen_ms = kNow});
  EXPECT_THAT(log.backlogs(), ElementsAre(Pair("early", 0), Pair("late", 0)));
}

}  // namespace
}  // namespace weft::messaging
