// Shows that so many calls are under way at once and no more, over all loops; that the others go on
// in the order in which they came; and that one which is cancelled or out of time, at any stage,
// neither blocks the others nor takes their place.

#include "door/concurrency.h"

#include <gmock/gmock.h>

#include <atomic>
#include <latch>

#include "door/layers_testing.h"

namespace weft {
namespace {

using testing::function_named;
using testing::Notes;

class Concurrency : public testing::LayersTest {
 protected:
  ConcurrencyLayer layer(ConcurrencyLimit::Bounds bounds) {
    limit_ = std::make_shared<ConcurrencyLimit>(bounds);
    return ConcurrencyLayer(limit_, "provider ops", &events_);
  }

  std::shared_ptr<ConcurrencyLimit> limit_;
};

TEST_F(Concurrency, CallsWithinTheLimitStayInline) {
  ConcurrencyLayer one = layer({.calls = 1});
  Link link(function_named("f"), echo_, {&one});
  for (int i = 0; i < 3; ++i) {
    Call* call = start(link, "inline");
    ASSERT_EQ(call->state(), Call::State::kDone);
    EXPECT_EQ(as_text(call->reply()), "inline");
    call->release();
  }
  EXPECT_EQ(limit_->running(), 0U);
  EXPECT_EQ(events_.of(LinkEvent::kQueued), 0);
}

TEST_F(Concurrency, TheOthersGoOnInTheirOrder) {
  ConcurrencyLayer two = layer({.calls = 2});
  // A late provider keeps its arguments where it wants to read them.
  struct Keeping : testing::Late {
    void begin(Call& call, Completion done) override {
      call.keep_arguments();
      Late::begin(call, std::move(done));
    }
  } late;
  Link link(function_named("f"), late, {&two});
  auto with = [&] {
    std::string all;
    for (const Completion& each : late.waiting) all += as_text(each.call().arguments());
    return all;
  };
  Notes notes;
  for (const char* each : {"1", "2", "3", "4", "5"}) start(link, notes, each);
  EXPECT_EQ(with(), "12");
  EXPECT_EQ(limit_->waiting(), 3U);
  EXPECT_EQ(events_.of(LinkEvent::kQueued), 3);
  late.finish_one("");
  EXPECT_EQ(with(), "2");  // Never from inside another call's end.
  run_ready();
  EXPECT_EQ(with(), "23");
  late.finish_one("");
  late.finish_one("");
  run_ready();
  EXPECT_EQ(with(), "45");
  late.finish_one("");
  late.finish_one("");
  EXPECT_EQ(notes.count, 5);
  EXPECT_EQ(limit_->running(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(Concurrency, AFullQueueRefuses) {
  ConcurrencyLayer one = layer({.calls = 1, .waiting = 1});
  Link link(function_named("f"), late_, {&one});
  Notes notes;
  start(link, notes);
  start(link, notes);
  Call* third = start(link);
  ASSERT_EQ(third->state(), Call::State::kFailed);
  EXPECT_EQ(third->error().code(), Errc::kLimit);
  EXPECT_EQ(third->error().message(),
            "test:door/calls@1.0.0 f: 1 calls are in the provider ops and 1 wait for their turn, "
            "the most that the link allows");
  third->release();
  EXPECT_EQ(events_.of(LinkEvent::kShed), 1);
  late_.finish_one("");
  run_ready();
  late_.finish_one("");
  EXPECT_EQ(notes.count, 2);
  EXPECT_EQ(limit_->running(), 0U);
}

TEST_F(Concurrency, AFailedCallGivesItsPlaceToo) {
  ConcurrencyLayer one = layer({.calls = 1});
  Link link(function_named("f"), late_, {&one});
  Notes first;
  Notes second;
  start(link, first);
  start(link, second);
  Completion done = std::move(late_.waiting.front());
  late_.waiting.clear();
  std::move(done).fail(Error(Errc::kUnavailable, "gone"));
  run_ready();
  ASSERT_EQ(late_.waiting.size(), 1U);
  late_.finish_one("r");
  EXPECT_EQ(first.failure, Errc::kUnavailable);
  EXPECT_EQ(second.reply, "r");
}

TEST_F(Concurrency, OneThatWaitsEndsAtItsDeadline) {
  ConcurrencyLayer one = layer({.calls = 1});
  Link link(function_named("f"), late_, {&one});
  Notes first;
  Notes second;
  start(link, first);
  start(link, second, "x", Deadline::after(std::chrono::milliseconds(20)));
  run_until([&] { return second.count == 1; });
  EXPECT_EQ(second.failure, Errc::kTimeout);
  EXPECT_EQ(limit_->waiting(), 0U);
  late_.finish_one("");
  EXPECT_EQ(limit_->running(), 0U);
  EXPECT_TRUE(late_.waiting.empty());
}

// Cancelled while it waits, after its turn was given to it and before it takes it, and in the
// provider: each time the next one has its turn.
TEST_F(Concurrency, OneThatIsCancelledAtAnyStageLetsTheOthersOn) {
  ConcurrencyLayer one = layer({.calls = 1});
  Link link(function_named("f"), late_, {&one});
  Notes notes;
  start(link, notes);
  Call* waits = start(link, notes);
  Call* chosen = start(link, notes);
  Call* last = start(link, notes);
  waits->release();
  EXPECT_EQ(limit_->waiting(), 2U);
  late_.finish_one("");
  EXPECT_EQ(limit_->waiting(), 1U);
  chosen->release();
  run_ready();
  run_ready();
  ASSERT_EQ(late_.waiting.size(), 1U);
  EXPECT_EQ(&late_.waiting[0].call(), last);
  last->release();
  late_.finish_one("");
  EXPECT_EQ(limit_->running(), 0U);
  EXPECT_EQ(notes.count, 1);
  EXPECT_EQ(pool_.live(), 0U);
}

// Four loops, each with a layer of its own around one provider's worth of places.
TEST(ConcurrencyOverLoops, TheLimitHoldsForAllLoopsTogether) {
  constexpr int kEach = 200;
  constexpr std::size_t kLoops = 4;
  static std::atomic<int> inside;
  static std::atomic<int> most;
  inside = most = 0;
  // Answers later, from its loop's queue.
  struct Slow : Provider {
    void begin(Call& call, Completion done) override {
      int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
      call.context().loop().post([done = std::move(done)]() mutable {
        --inside;
        std::move(done).finish();
      });
    }
  };
  struct Side : Caller {
    Side(Loop& loop, std::shared_ptr<ConcurrencyLimit> limit, std::latch& ended)
        : context(loop, "shop", "cart"),
          layer(std::move(limit), "provider ops", nullptr),
          link(function_named("f"), slow, {&layer}),
          all_ended(ended) {}
    void completed(Call& call) override {
      done += call.state() == Call::State::kDone ? 1 : 0;
      call.release();
      if (++count == kEach) all_ended.count_down();
    }
    CallPool pool;
    Context context;
    Slow slow;
    ConcurrencyLayer layer;
    Link link;
    std::latch& all_ended;
    int count = 0;
    int done = 0;
  };
  auto limit = std::make_shared<ConcurrencyLimit>(ConcurrencyLimit::Bounds{.calls = 3});
  Loops loops({.count = kLoops});
  std::latch ended(kLoops);
  std::vector<std::unique_ptr<Side>> sides(kLoops);
  loops.on_each([&](Loop& loop, std::size_t i) {
    sides[i] = std::make_unique<Side>(loop, limit, ended);
    for (int call = 0; call < kEach; ++call) {
      sides[i]
          ->pool.start(sides[i]->link, sides[i]->context, {}, Deadline::never())
          ->set_caller(sides[i].get());
    }
  });
  ended.wait();
  EXPECT_EQ(limit->running(), 0U);
  EXPECT_EQ(limit->waiting(), 0U);
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 1);
  loops.on_each([&](Loop&, std::size_t i) {
    EXPECT_EQ(sides[i]->done, kEach);
    sides[i].reset();
  });
}

}  // namespace
}  // namespace weft
