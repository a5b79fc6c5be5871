// Shows what somebody who watches reads of a call: as JSON and as text, with values and without,
// and which calls a filter takes.

#include "observe/spy_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SpiedCall a_call() {
  return {.ended = std::chrono::system_clock::time_point(std::chrono::milliseconds(3'723'004)),
          .time = std::chrono::microseconds(1'250),
          .app = "shop",
          .component = "cart",
          .by = "provider ml",
          .interface = "acme:ml/inference@1.0.0",
          .name = "infer",
          .signature = "func(prompt: string) -> result<u8, string>",
          .arguments = Bytes{2, 'h', 'i'},
          .reply = Bytes{0, 7}};
}

std::string text_of(const SpiedCall& call) {
  std::string line = SpyLines().line(call);
  EXPECT_THAT(line, ::testing::EndsWith("\n"));
  line.pop_back();
  auto text = spy_text(line);
  EXPECT_TRUE(text) << line;
  return text.value_or("");
}

TEST(SpyLines, ACallIsOneLine) {
  std::string line = SpyLines().line(a_call());
  EXPECT_EQ(
      line,
      "{\"ms\":3723004,\"us\":1250,\"app\":\"shop\",\"component\":\"cart\",\"by\":\"provider ml\","
      "\"interface\":\"acme:ml/inference@1.0.0\",\"function\":\"infer\","
      "\"args\":\"(\\\"hi\\\")\",\"result\":\"ok(7)\"}\n");
  EXPECT_EQ(text_of(a_call()),
            "01:02:03.004 shop/cart -> provider ml: acme:ml/inference@1.0.0#infer(\"hi\") -> ok(7) "
            "[1.250 ms]");
}

TEST(SpyLines, WithoutValuesTheFailureIsACodeAlone) {
  SpiedCall call = a_call();
  call.error = Error(Errc::kInvalid, "\"hi\" is no\nprompt");
  EXPECT_THAT(text_of(call), HasSubstr(" failed: invalid: \"hi\" is no prompt ["));
  call.arguments.reset();
  call.reply.reset();
  EXPECT_THAT(text_of(call), HasSubstr("#infer(...) failed: invalid ["));
  EXPECT_THAT(text_of(call), Not(HasSubstr("hi")));
}

TEST(SpyLines, BytesThatAreNoValuesAreLeftOut) {
  SpiedCall call = a_call();
  call.arguments = Bytes{9, 'h'};
  call.reply = Bytes{3};
  EXPECT_THAT(text_of(call), HasSubstr("#infer(...) ["));
  call.signature = "func(";
  EXPECT_THAT(text_of(call), HasSubstr("#infer(...) ["));
}

TEST(SpyLines, LongTextIsCut) {
  SpiedCall call = a_call();
  Bytes long_one{0xd0, 0x0f};
  long_one.resize(2 + 2'000, 'x');
  call.arguments = long_one;
  std::string text = text_of(call);
  EXPECT_LT(text.size(), 1'300U);
  EXPECT_THAT(text, HasSubstr("xxx... -> ok(7)"));
}

TEST(SpyLines, WhatIsLostIsTold) {
  EXPECT_EQ(*spy_text("{\"lost\":3}"), "(3 calls not shown: more than can be told)");
  EXPECT_EQ(*spy_text(""), "");
  EXPECT_FALSE(spy_text("<html>"));
}

TEST(SpyFilter, TakesWhatItNames) {
  SpiedCall call = a_call();
  EXPECT_TRUE(SpyFilter().takes(call));
  EXPECT_TRUE((SpyFilter{.interface = "acme:ml/inference"}).takes(call));
  EXPECT_TRUE((SpyFilter{.interface = "acme:ml/inference@1.0.0"}).takes(call));
  EXPECT_FALSE((SpyFilter{.interface = "acme:ml/infer"}).takes(call));
  EXPECT_TRUE((SpyFilter{.app = "shop", .component = "cart"}).takes(call));
  EXPECT_FALSE((SpyFilter{.app = "shop", .component = "web"}).takes(call));
  EXPECT_FALSE((SpyFilter{.app = "blog"}).takes(call));
}

TEST(SpyFilter, CrossesAsAQuery) {
  SpyFilter filter{.app = "a&b=c", .component = "100%", .interface = "acme:ml/inference@1.0.0"};
  std::string query = filter.query();
  EXPECT_THAT(query, HasSubstr("interface=acme%3Aml%2Finference%401.0.0"));
  SpyFilter back = SpyFilter::of_query(std::string_view(query).substr(1));
  EXPECT_EQ(back.app, filter.app);
  EXPECT_EQ(back.component, filter.component);
  EXPECT_EQ(back.interface, filter.interface);
  EXPECT_EQ(SpyFilter::of_query("app=%4&x=%zz&component=%").component, "%");
}

TEST(SpyQueue, KeepsNothingWhileNobodyWatchesAndCountsWhatHasNoRoom) {
  SpyQueue queue;
  queue.add(a_call());
  queue.watch(true);
  EXPECT_TRUE(queue.take().calls.empty());
  SpiedCall large = a_call();
  large.reply = Bytes(kSpyQueueBytesMax / 2);
  for (int i = 0; i < 3; ++i) queue.add(large);
  SpyQueue::Taken taken = queue.take();
  EXPECT_EQ(taken.calls.size(), 1U);
  EXPECT_EQ(taken.lost, 2U);
  queue.add(a_call());
  EXPECT_EQ(queue.take().calls.size(), 1U);
}

}  // namespace
}  // namespace weft
