// Shows that what moved by tickets is told once, also where it is taken in parts.
#include "node/daemon/tickets.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <set>

#include "base/check.h"

namespace weft::node::daemon {
namespace {

class TicketsTest : public ::testing::Test {
 protected:
  TicketsTest() { CHECK(sodium_init() >= 0); }

  Bytes issue(std::string_view group) {
    auto number = tickets_.issue({.group = std::string(group)}, 1'000);
    CHECK(number);
    return *std::move(number);
  }

  Tickets tickets_;
};

TEST_F(TicketsTest, WhatMovedIsTakenTicketByTicket) {
  Bytes one = issue("one");
  Bytes two = issue("two");
  issue("idle");
  tickets_.count(one, {.bytes_in = 5});
  tickets_.count(two, {.bytes_out = 7});
  auto first = tickets_.take_moved(1'000);
  ASSERT_TRUE(first);
  // The one that was taken goes on; the other was not lost by that.
  tickets_.count(first->first.group == "one" ? one : two, {.bytes_in = 100});
  auto second = tickets_.take_moved(1'000);
  ASSERT_TRUE(second);
  EXPECT_EQ(std::set({first->first.group, second->first.group}),
            std::set<std::string>({"one", "two"}));
  EXPECT_EQ(first->second.bytes_in + first->second.bytes_out + second->second.bytes_in +
                second->second.bytes_out,
            12U);
  EXPECT_FALSE(tickets_.take_moved(1'000));
  auto again = tickets_.take_moved(1'000);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->first.group, first->first.group);
  EXPECT_EQ(again->second.bytes_in, 100U);
  EXPECT_FALSE(tickets_.take_moved(1'000));
}

TEST_F(TicketsTest, OneThatNobodyWasToldTakesNoRoom) {
  for (std::size_t i = 0; i < 2 * kTicketsOfGroupMax; ++i) tickets_.take_back(issue("busy"));
  Bytes left = issue("busy");
  EXPECT_TRUE(tickets_.look(left, Tickets::Way::kRead, 1'000));
  tickets_.take_back(left);
  EXPECT_FALSE(tickets_.look(left, Tickets::Way::kRead, 1'000));
}

}  // namespace
}  // namespace weft::node::daemon
