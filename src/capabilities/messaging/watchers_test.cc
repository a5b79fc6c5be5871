// Shows that who is shown messages gets those of its pattern, so many at most on their way, and
// hears how many were skipped.
#include "capabilities/messaging/watchers.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "io/loop.h"

namespace weft::messaging {
namespace {

using std::chrono::milliseconds;

struct Watching : ::testing::Test {
  void run() {
    loop.context().restart();
    loop.context().run_for(milliseconds(20));
  }

  Loop loop;
  std::shared_ptr<Watchers> watchers = std::make_shared<Watchers>();
  std::vector<std::string> seen;
};

TEST_F(Watching, ShowsWhatMatches) {
  auto watch = watchers->add(loop, "a.*", [&](Message message) { seen.push_back(message.topic); });
  watchers->show({"a.b", {}});
  watchers->show({"b.b", {}});
  watchers->show({"a.c", {}});
  run();
  EXPECT_EQ(seen, (std::vector<std::string>{"a.b", "a.c"}));
  EXPECT_EQ(watch->skipped(), 0U);
}

TEST_F(Watching, SkipsAndCountsWhatIsTooMuch) {
  auto watch = watchers->add(loop, ">", [&](Message message) { seen.push_back(message.topic); });
  for (std::size_t i = 0; i < kShownMax + 7; ++i) watchers->show({"t", {}});
  EXPECT_EQ(watch->skipped(), 7U);
  EXPECT_EQ(watch->skipped(), 0U);
  run();
  EXPECT_EQ(seen.size(), kShownMax);
  watchers->show({"t", {}});
  run();
  EXPECT_EQ(seen.size(), kShownMax + 1);
  EXPECT_EQ(watch->skipped(), 0U);
}

TEST_F(Watching, ShowsNothingToWhoHasGone) {
  auto watch = watchers->add(loop, ">", [&](Message message) { seen.push_back(message.topic); });
  watchers->show({"t", {}});
  watch.reset();
  watchers->show({"t", {}});
  run();
  EXPECT_TRUE(seen.empty());
}

}  // namespace
}  // namespace weft::messaging
