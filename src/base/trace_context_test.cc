// Shows which `traceparent` headers count, and that what is sent on reads back.

#include "base/trace_context.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

constexpr std::string_view kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, ReadsWhatTheStandardShows) {
  auto read = parse_traceparent(kGood);
  ASSERT_TRUE(read);
  EXPECT_EQ(trace_id_text(*read), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(read->parent, 0xb7ad6b7169203331U);
  EXPECT_EQ(read->span, 0U);
  EXPECT_TRUE(read->sampled());
  EXPECT_FALSE(
      parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")->sampled());
}

TEST(TraceContext, RefusesWhatIsMalformed) {
  for (std::string_view wrong : {
           "",
           "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
           "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
           "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
       }) {
    EXPECT_FALSE(parse_traceparent(wrong)) << wrong;
  }
}

TEST(TraceContext, ReadsTheBeginningOfALaterVersion) {
  auto read = parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->flags, TraceContext::kSampled);
}

TEST(TraceContext, WhatIsSentOnNamesOurSpan) {
  auto context = *parse_traceparent(kGood);
  context.span = 0x1234;
  EXPECT_EQ(traceparent_text(context), "00-0af7651916cd43dd8448eb211c80319c-0000000000001234-01");
  EXPECT_EQ(parse_traceparent(traceparent_text(context))->parent, 0x1234U);
}

TEST(TraceContext, NumbersDiffer) {
  TraceIds a(1);
  TraceIds b(2);
  EXPECT_NE(a.next(), b.next());
  EXPECT_NE(a.next(), a.next());
}

}  // namespace
}  // namespace weft
