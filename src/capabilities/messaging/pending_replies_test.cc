// Shows that a request has the replies that name it, and ends however they fail to come.
#include "capabilities/messaging/pending_replies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>

namespace weft::messaging {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

class PendingRepliesTest : public ::testing::Test {
 protected:
  // Its number; `ended_` has what came of it.
  std::uint64_t ask(std::size_t replies, milliseconds time = milliseconds(20'000),
                    std::optional<std::string> unsent = std::nullopt) {
    std::uint64_t number = *pending_.next_number();
    auto ignored = pending_.add(number, replies, Deadline::after(time), std::move(unsent))
                       .settle([this, number](Result<std::vector<Message>> came) {
                         std::string text;
                         if (came) {
                           for (const Message& each : *came) text += each.topic;
                         } else {
                           text = "(" + std::string(came.error().message()) + ")";
                         }
                         ended_.emplace_back(std::to_string(number) + " " + text);
                         return Nothing();
                       });
    return number;
  }
  void run() {
    loop_.context().restart();
    loop_.context().poll();
  }
  bool until_ended(std::size_t many) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (ended_.size() < many && !limit.passed()) {
      loop_.context().restart();
      loop_.context().run_for(milliseconds(2));
    }
    return ended_.size() == many;
  }

  Loop loop_;
  PendingReplies<std::string> pending_{loop_};
  std::vector<std::string> ended_;
};

TEST_F(PendingRepliesTest, ARequestEndsWithTheRepliesThatNameIt) {
  ask(1);
  ask(2);
  for (const char* number : {"2", "3", "", "x", "1", "1", "2", "2"}) {
    pending_.came(number, {"r", {}});
  }
  EXPECT_TRUE(ended_.empty()) << "it ended inside the client";
  run();
  EXPECT_THAT(ended_, ElementsAre("1 r", "2 rr"));
}

TEST_F(PendingRepliesTest, AtTheDeadlineThereAreThoseThatCame) {
  ask(2, milliseconds(1));
  ask(2, milliseconds(1));
  pending_.came("1", {"r", {}});
  ASSERT_TRUE(until_ended(2));
  EXPECT_THAT(ended_, ::testing::UnorderedElementsAre("1 r", "2 (no reply came in time)"));
}

TEST_F(PendingRepliesTest, WhatWaitsIsSentOnceAndWhatIsOverIsNot) {
  ask(1, milliseconds(20'000), "first");
  ask(1, milliseconds(1), "late");
  ask(1);
  ASSERT_TRUE(until_ended(1));
  std::vector<std::string> sent;
  auto send = [&](std::uint64_t number, std::string message, Deadline) {
    sent.push_back(std::to_string(number) + " " + message);
  };
  pending_.send_all(send);
  pending_.send_all(send);
  EXPECT_THAT(sent, ElementsAre("1 first"));
}

TEST_F(PendingRepliesTest, OneThatCannotBeSentAtOnceEndsAtOnce) {
  ask(1, milliseconds(20'000), "a");
  ask(1, milliseconds(20'000), "b");
  pending_.send_all([&](std::uint64_t number, const std::string&, Deadline) {
    pending_.when_sent(number)(failure(Errc::kLimit, "too many"));
  });
  EXPECT_THAT(ended_, ElementsAre("1 (too many)", "2 (too many)"));
}

TEST_F(PendingRepliesTest, OneThatCannotBeSentHasItsFailure) {
  auto well = pending_.when_sent(ask(1));
  auto ill = pending_.when_sent(ask(1));
  well({});
  ill(failure(Errc::kUnavailable, "the server is gone"));
  EXPECT_THAT(ended_, ElementsAre("2 (the server is gone)"));
  pending_.fail_all(Error(Errc::kIo, "over"));
  EXPECT_THAT(ended_, ElementsAre("2 (the server is gone)", "1 (over)"));
}

TEST_F(PendingRepliesTest, ThereAreNoMoreThanTheBound) {
  for (std::size_t i = 0; i < kPendingRepliesMax; ++i) ask(1);
  EXPECT_EQ(pending_.next_number().error().code(), Errc::kLimit);
}

}  // namespace
}  // namespace weft::messaging
