// Shows that messages from many threads each arrive once on the loop, in the order of each thread,
// and that nothing is lost unseen when the reader goes.

#include "io/inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

namespace weft {
namespace {

using ::testing::ElementsAre;

struct Message {
  int thread;
  int number;
};

TEST(Inbox, KeepsTheOrderOfEachThread) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2000;
  Loop loop;
  auto inbox = std::make_shared<Inbox<Message>>();
  std::array<int, kThreads> last{};
  int count = 0;
  bool ordered = true;
  loop.post([&] {
    inbox->open(loop, [&](Message message) {
      int& before = last[static_cast<std::size_t>(message.thread)];
      ordered = ordered && message.number == before + 1 && loop.on_this_loop();
      before = message.number;
      if (++count == kThreads * kEach) loop.stop();
    });
  });
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 1; i <= kEach; ++i) EXPECT_TRUE(inbox->put({thread, i}));
    });
  }
  loop.run();
  EXPECT_EQ(count, kThreads * kEach);
  EXPECT_TRUE(ordered);
  inbox->close();
}

// What came before there was a reader is handed over, never inside a put; what nobody read is given
// back at the end, and later nothing is taken.
TEST(Inbox, OpensLateAndClosesOnce) {
  Loop loop;
  auto inbox = std::make_shared<Inbox<int>>();
  std::vector<int> read;
  EXPECT_TRUE(inbox->put(1));
  loop.post([&] {
    inbox->open(loop, [&](int message) {
      read.push_back(message);
      if (message == 1) {
        inbox->put(2);
        EXPECT_THAT(read, ElementsAre(1));
      }
      if (message == 2) loop.stop();
    });
  });
  loop.run();
  EXPECT_THAT(read, ElementsAre(1, 2));
  inbox->put(3);
  EXPECT_THAT(inbox->close(), ElementsAre(3));
  EXPECT_FALSE(inbox->put(4));
  EXPECT_THAT(read, ElementsAre(1, 2));
}

}  // namespace
}  // namespace weft
