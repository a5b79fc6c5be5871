// Shows what the layer sees of calls: counts, failures, times of some, and spans of those whose
// request is traced.

#include "observe/call_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "door/cache_layer.h"
#include "door/testing.h"
#include "io/loop.h"

namespace weft {
namespace {

using testing::Echo;
using testing::function_named;

class Refusing : public Provider {
 public:
  void begin(Call&, Completion done) override {
    std::move(done).fail(Error(Errc::kUnavailable, "it is down"));
  }
};

class CallLayerTest : public ::testing::Test {
 protected:
  void call(Provider& provider, int times = 1) {
    CallLayer layer(meter_, *observer_);
    Link link(function_named("get"), provider, {&layer});
    for (int i = 0; i < times; ++i) {
      pool_.start(link, context_, as_bytes("x"), Deadline::never())->release();
    }
  }
  void export_spans() {
    observer_ = std::make_unique<LoopObserver>(loop_, traps_, [this](std::vector<Span>&& spans) {
      for (Span& each : spans) spans_.push_back(std::move(each));
      return true;
    });
  }

  Loop loop_;
  TrapLog traps_;
  std::vector<Span> spans_;
  std::unique_ptr<LoopObserver> observer_ =
      std::make_unique<LoopObserver>(loop_, traps_, SpanQueue::Ship());
  CallMeter meter_{.app = "shop", .component = "cart", .capability = "keyvalue", .driver = "lmdb"};
  CallPool pool_;
  Context context_{testing::no_loop(), "shop", "cart"};
  Echo echo_;
};

TEST_F(CallLayerTest, CountsCallsAndTimesEverySixteenth) {
  call(echo_, 32);
  EXPECT_EQ(meter_.calls.get(), 32U);
  EXPECT_EQ(meter_.failures.get(), 0U);
  LatencyTotal times;
  times.add(meter_.time);
  EXPECT_EQ(times.count(), 2U);
}

TEST_F(CallLayerTest, CountsFailures) {
  Refusing refusing;
  call(refusing);
  EXPECT_EQ(meter_.calls.get(), 1U);
  EXPECT_EQ(meter_.failures.get(), 1U);
}

// The layers within a link tell the layer outside, which sees each call, cached or not.
TEST_F(CallLayerTest, CountsWhatTheLayersWithinDo) {
  CallLayer counts(meter_, *observer_);
  auto cache = std::make_shared<CallCache>(ReplyCache::Bounds{});
  CacheLayer cached(cache, function_named("get"), &counts);
  Link link(function_named("get"), echo_, {&counts, &cached});
  Context context(loop_, "shop", "cart");
  for (int i = 0; i < 3; ++i) {
    pool_.start(link, context, as_bytes("x"), Deadline::never())->release();
  }
  EXPECT_EQ(meter_.calls.get(), 3U);
  EXPECT_EQ(meter_.events[static_cast<std::size_t>(LinkEvent::kHit)].get(), 2U);
  EXPECT_EQ(meter_.events[static_cast<std::size_t>(LinkEvent::kMiss)].get(), 1U);
}

TEST_F(CallLayerTest, MakesASpanUnderTheRequests) {
  export_spans();
  context_.trace = {.trace_high = 1, .trace_low = 2, .span = 3, .flags = TraceContext::kSampled};
  Refusing refusing;
  call(echo_);
  call(refusing);
  observer_->spans()->flush();
  ASSERT_EQ(spans_.size(), 2U);
  EXPECT_EQ(spans_[0].context.trace_low, 2U);
  EXPECT_EQ(spans_[0].context.parent, 3U);
  EXPECT_NE(spans_[0].context.span, 0U);
  EXPECT_THAT(spans_[0].name, ::testing::EndsWith("get"));
  EXPECT_EQ(spans_[0].error, "");
  EXPECT_EQ(spans_[1].error, "it is down");
}

// What is told while somebody watches: values where they may be shown, and never secrets.
TEST_F(CallLayerTest, TellsThoseWhoWatch) {
  SpyQueue queue;
  Refusing refusing;
  auto told = [&](Provider& provider, bool secret) {
    CallLayer layer(meter_, *observer_, {&queue, "provider ml", secret});
    Link link(function_named("get"), provider, {&layer});
    pool_.start(link, context_, as_bytes("x"), Deadline::never())->release();
    return queue.take().calls;
  };
  EXPECT_TRUE(told(echo_, false).empty());
  queue.watch(true);
  auto calls = told(echo_, false);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].component, "cart");
  EXPECT_EQ(calls[0].by, "provider ml");
  EXPECT_EQ(calls[0].name, "get");
  EXPECT_FALSE(calls[0].arguments);
  EXPECT_FALSE(calls[0].reply);
  queue.show_values(true);
  calls = told(echo_, false);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(*calls[0].arguments, Bytes{'x'});
  EXPECT_EQ(*calls[0].reply, Bytes{'x'});
  calls = told(refusing, false);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].error->message(), "it is down");
  EXPECT_FALSE(calls[0].reply);
  calls = told(echo_, true);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_FALSE(calls[0].arguments);
  EXPECT_FALSE(calls[0].reply);
}

TEST_F(CallLayerTest, MakesNoneForATraceThatIsNotExported) {
  export_spans();
  context_.trace = {.trace_high = 1, .trace_low = 2, .span = 3};
  call(echo_, 20);
  observer_->spans()->flush();
  EXPECT_TRUE(spans_.empty());
}

}  // namespace
}  // namespace weft
