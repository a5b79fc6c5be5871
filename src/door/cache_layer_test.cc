// Shows that a cached reply ends a call inline, that only replies are kept, and that calls which
// ask the same at once ask once: also when the one that asks fails, is cancelled, or another
// loop's.

#include "door/cache_layer.h"

#include <gmock/gmock.h>

#include <atomic>
#include <latch>

#include "door/layers_testing.h"

namespace weft {
namespace {

using testing::function_named;
using testing::Notes;

class CacheLayerTest : public testing::LayersTest {
 protected:
  CacheLayer layer(std::string name = "f") {
    return CacheLayer(cache_, function_named(std::move(name)), &events_);
  }
  void fail_one(Errc code = Errc::kUnavailable) {
    Completion done = std::move(late_.waiting.front());
    late_.waiting.erase(late_.waiting.begin());
    std::move(done).fail(Error(code, "no"));
  }
  std::string ask(Link& link, std::string_view arguments) {
    Call* call = start(link, arguments);
    EXPECT_EQ(call->state(), Call::State::kDone) << "not inline";
    std::string reply(as_text(call->reply()));
    call->release();
    return reply;
  }

  std::shared_ptr<CallCache> cache_ = std::make_shared<CallCache>(ReplyCache::Bounds{});
};

class Counting : public Provider {
 public:
  void begin(Call& call, Completion done) override {
    ++count;
    done.reply().append(call.arguments());
    std::move(done).finish();
  }
  int count = 0;
};

TEST_F(CacheLayerTest, AsksOnceAndAnswersInline) {
  Counting counting;
  CacheLayer cached = layer();
  Link link(function_named("f"), counting, {&cached});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(link, "a"), "a");
  EXPECT_EQ(ask(link, "b"), "b");
  EXPECT_EQ(counting.count, 2);
  EXPECT_EQ(events_.of(LinkEvent::kHit), 2);
  EXPECT_EQ(events_.of(LinkEvent::kMiss), 2);
  EXPECT_EQ(cache_->flights(), 0U);
}

TEST_F(CacheLayerTest, WhatIsNoReplyOfTheFunctionIsNotKept) {
  Counting counting;
  CacheLayer cached(cache_, function_named("f"), &events_,
                    [](BytesView reply) { return as_text(reply) != "broken"; });
  Link link(function_named("f"), counting, {&cached});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(link, "broken"), "broken");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(link, "whole"), "whole");
  EXPECT_EQ(counting.count, 3);
  EXPECT_EQ(cache_->entries(), 1U);
}

TEST_F(CacheLayerTest, FunctionsAreToldApart) {
  Counting counting;
  CacheLayer f = layer("f");
  CacheLayer g = layer("g");
  Link link_f(function_named("f"), counting, {&f});
  Link link_g(function_named("g"), counting, {&g});
  ask(link_f, "a");
  ask(link_g, "a");
  EXPECT_EQ(counting.count, 2);
  EXPECT_EQ(cache_->entries(), 2U);
}

TEST_F(CacheLayerTest, WhatIsTooLargeIsAskedForEachTime) {
  cache_ = std::make_shared<CallCache>(ReplyCache::Bounds{.bytes = ReplyCache::kEntryBytes + 10});
  Counting counting;
  CacheLayer cached = layer();
  Link link(function_named("f"), counting, {&cached});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(link, "eleven byte"), "eleven byte");
  // The arguments fit, with the reply they do not.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(link, "sixsix"), "sixsix");
  EXPECT_EQ(counting.count, 4);
  EXPECT_EQ(cache_->entries(), 0U);
}

TEST_F(CacheLayerTest, AStampedeAsksOnce) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  std::vector<Notes> notes(50);
  for (Notes& each : notes) start(link, each);
  EXPECT_EQ(late_.waiting.size(), 1U);
  EXPECT_EQ(cache_->followers(), 49U);
  EXPECT_EQ(events_.of(LinkEvent::kJoined), 49);
  late_.finish_one("r");
  run_until([&] { return notes.back().count == 1; });
  for (Notes& each : notes) EXPECT_EQ(each.reply, "r");
  EXPECT_TRUE(late_.waiting.empty());
  EXPECT_EQ(ask(link, "x"), "r");
  EXPECT_EQ(cache_->followers() + cache_->flights(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(CacheLayerTest, FollowersAreBounded) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  std::vector<Notes> notes(CallCache::kFollowersMax + 3);
  for (Notes& each : notes) start(link, each);
  EXPECT_EQ(cache_->followers(), CallCache::kFollowersMax);
  EXPECT_EQ(late_.waiting.size(), 3U);
  while (!late_.waiting.empty()) late_.finish_one("r");
  run_until([&] { return pool_.live() == 0; });
  for (Notes& each : notes) EXPECT_EQ(each.reply, "r");
}

// One after the other asks in the place of the one that failed; each failure is its own.
TEST_F(CacheLayerTest, FailuresAreNeitherKeptNorShared) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  std::vector<Notes> notes(4);
  for (Notes& each : notes) start(link, each);
  fail_one();
  EXPECT_EQ(notes[0].failure, Errc::kUnavailable);
  run_until([&] { return !late_.waiting.empty(); });
  fail_one(Errc::kTimeout);
  EXPECT_EQ(notes[1].failure, Errc::kTimeout);
  run_until([&] { return !late_.waiting.empty(); });
  EXPECT_EQ(late_.waiting.size(), 1U);
  late_.finish_one("r");
  run_until([&] { return notes[3].count == 1; });
  EXPECT_EQ(notes[2].reply, "r");
  EXPECT_EQ(notes[3].reply, "r");
  EXPECT_EQ(cache_->entries(), 1U);
}

TEST_F(CacheLayerTest, AFailureOfTheOnlyOneLeavesNothing) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  Notes notes;
  start(link, notes);
  fail_one();
  EXPECT_EQ(cache_->flights() + cache_->entries(), 0U);
  start(link, notes);
  EXPECT_EQ(late_.waiting.size(), 1U);
  late_.finish_one("r");
}

// The one that asks goes, one that waits goes, and one goes that was just chosen to ask.
TEST_F(CacheLayerTest, CancelledAtAnyStageTheOthersGoOn) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  std::vector<Notes> notes(4);
  std::vector<Call*> calls;
  for (Notes& each : notes) calls.push_back(start(link, each));
  calls[1]->release();
  EXPECT_EQ(cache_->followers(), 2U);
  calls[0]->release();
  fail_one(Errc::kCancelled);
  calls[2]->release();  // Its turn is posted already.
  run_until([&] { return !late_.waiting.empty(); });
  EXPECT_EQ(&late_.waiting[0].call(), calls[3]);
  late_.finish_one("r");
  EXPECT_EQ(notes[3].reply, "r");
  EXPECT_EQ(notes[0].count + notes[1].count + notes[2].count, 0);
  EXPECT_EQ(cache_->followers() + cache_->flights(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
}

// What a provider still answers for a caller that has gone is as true as any.
TEST_F(CacheLayerTest, AnAnswerToACancelledCallIsKept) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  Notes notes;
  start(link)->release();
  Call* gone = start(link, notes);
  late_.finish_one("r");
  gone->release();  // Its answer is posted already.
  run_ready();
  EXPECT_EQ(notes.count, 0);
  EXPECT_EQ(ask(link, "x"), "r");
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(CacheLayerTest, AFollowerEndsAtItsOwnDeadline) {
  CacheLayer cached = layer();
  Link link(function_named("f"), late_, {&cached});
  Notes asks;
  Notes waits;
  start(link, asks);
  start(link, waits, "x", Deadline::after(std::chrono::milliseconds(20)));
  run_until([&] { return waits.count == 1; });
  EXPECT_EQ(waits.failure, Errc::kTimeout);
  EXPECT_EQ(cache_->followers(), 0U);
  late_.finish_one("r");
  EXPECT_EQ(asks.reply, "r");
}

// All loops ask the same at once, again and again: each question reaches a provider once.
TEST(CacheOverLoops, AQuestionIsAskedOnceForAllLoops) {
  constexpr int kQuestions = 100;
  constexpr std::size_t kLoops = 4;
  static std::atomic<int> asked;
  asked = 0;
  struct Slow : Provider {
    void begin(Call& call, Completion done) override {
      ++asked;
      call.keep_arguments();
      call.context().loop().post([done = std::move(done)]() mutable {
        done.reply().append(done.call().arguments());
        std::move(done).finish();
      });
    }
  };
  struct Side {
    Side(Loop& loop, std::shared_ptr<CallCache> cache)
        : context(loop, "shop", "cart"),
          layer(std::move(cache), function_named("f"), nullptr),
          link(function_named("f"), slow, {&layer}) {}
    CallPool pool;
    Context context;
    Slow slow;
    CacheLayer layer;
    Link link;
  };
  // Deletes itself at the end.
  struct Waits : Caller {
    Waits(std::string text, std::atomic<int>& wrong_ones, std::latch& all)
        : expected(std::move(text)), wrong(wrong_ones), ended(all) {}
    void look(Call& call) {
      if (call.state() != Call::State::kDone || as_text(call.reply()) != expected) ++wrong;
      call.release();
      ended.count_down();
      delete this;
    }
    void completed(Call& call) override { look(call); }
    std::string expected;
    std::atomic<int>& wrong;
    std::latch& ended;
  };
  auto cache = std::make_shared<CallCache>(ReplyCache::Bounds{});
  Loops loops({.count = kLoops});
  std::latch ended(kLoops * kQuestions * 2);
  std::atomic<int> wrong = 0;
  std::vector<std::unique_ptr<Side>> sides(kLoops);
  loops.on_each([&](Loop& loop, std::size_t i) { sides[i] = std::make_unique<Side>(loop, cache); });
  loops.on_each([&](Loop&, std::size_t i) {
    for (int question = 0; question < kQuestions * 2; ++question) {
      std::string text = std::to_string(question % kQuestions);
      Call* call = sides[i]->pool.start(sides[i]->link, sides[i]->context, as_bytes(text),
                                        Deadline::never());
      auto* waits = new Waits(text, wrong, ended);
      if (call->state() != Call::State::kRunning) {
        waits->look(*call);
      } else {
        call->set_caller(waits);
      }
    }
  });
  ended.wait();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(asked, kQuestions);
  loops.on_each([&](Loop&, std::size_t i) { sides[i].reset(); });
}

}  // namespace
}  // namespace weft
