// Shows how a call ends: inline, late, cancelled, dropped; and that frames are used again. Each
// test drives a Link by hand and finishes calls from the test's own stack.

#include "door/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "door/testing.h"

namespace weft {
namespace {

using testing::Echo;
using testing::function_named;
using testing::Late;
using testing::Notes;

class CallTest : public ::testing::Test {
 protected:
  Call* start(Link& link, std::string_view arguments) {
    return pool_.start(link, context_, as_bytes(arguments), Deadline::never());
  }

  CallPool pool_;
  Context context_{testing::no_loop(), "shop", "cart"};
  Notes notes_;
};

TEST_F(CallTest, FinishesInline) {
  Echo echo;
  Link link(function_named("echo"), echo);
  Call* call = start(link, "hello");
  ASSERT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()), "hello");
  EXPECT_EQ(&call->context(), &context_);
  EXPECT_EQ(call->function().name, "echo");
  call->release();
  EXPECT_EQ(pool_.live(), 0);
  EXPECT_EQ(context_.calls(), 0);
}

// A reply may be somebody else's memory, the call's own arguments among it; the next call of the
// frame has a reply of its own.
TEST_F(CallTest, LendsAReply) {
  struct Lends : Provider {
    void begin(Call& call, Completion done) override {
      done.reply().append("half a reply");
      std::move(done).finish_lending(call.arguments().subspan(1));
    }
  } lends;
  Link link(function_named("lends"), lends);
  std::string_view arguments = "hello";
  Call* call = start(link, arguments);
  ASSERT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()).data(), arguments.data() + 1) << "nothing was copied";
  EXPECT_EQ(as_text(call->reply()), "ello");
  call->release();
  call = start(link, "x");
  EXPECT_EQ(as_text(call->reply()), "") << "an empty one is not what was written before";
  call->release();
  Echo echo;
  Link other(function_named("echo"), echo);
  call = start(other, "again");
  EXPECT_EQ(as_text(call->reply()), "again");
  call->release();
}

TEST_F(CallTest, FinishesLateAndTellsTheCallerOnce) {
  Late late;
  Link link(function_named("late"), late);
  Call* call = start(link, "x");
  ASSERT_EQ(call->state(), Call::State::kRunning);
  call->set_caller(&notes_);
  late.finish_one("later");
  EXPECT_EQ(notes_.count, 1);
  EXPECT_EQ(notes_.reply, "later");
  EXPECT_EQ(pool_.live(), 0);
}

// Releasing after completed returned must work as well as releasing inside it.
TEST_F(CallTest, MayBeReleasedAfterCompleted) {
  struct Keeps : Caller {
    void completed(Call& call) override { kept = &call; }
    Call* kept = nullptr;
  } keeps;
  Late late;
  Link link(function_named("late"), late);
  start(link, "x")->set_caller(&keeps);
  late.finish_one("later");
  ASSERT_NE(keeps.kept, nullptr);
  EXPECT_EQ(as_text(keeps.kept->reply()), "later");
  EXPECT_EQ(pool_.live(), 1);
  keeps.kept->release();
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(CallTest, FailsInline) {
  struct Refuses : Provider {
    void begin(Call&, Completion done) override {
      done.reply().append("half an answer");
      std::move(done).fail(Error(Errc::kDenied, "no"));
    }
  } refuses;
  Link link(function_named("f"), refuses);
  Call* call = start(link, "");
  ASSERT_EQ(call->state(), Call::State::kFailed);
  EXPECT_EQ(call->error().code(), Errc::kDenied);
  EXPECT_TRUE(call->reply().empty());
  call->release();
}

TEST_F(CallTest, DroppedCompletionFailsTheCall) {
  struct Forgets : Provider {
    void begin(Call&, Completion) override {}
  } forgets;
  Link link(function_named("forgotten"), forgets);
  Call* call = start(link, "");
  ASSERT_EQ(call->state(), Call::State::kFailed);
  EXPECT_EQ(call->error().code(), Errc::kInternal);
  EXPECT_THAT(call->error().message(), ::testing::HasSubstr("forgotten"));
  call->release();

  Late late;
  Link later(function_named("late"), late);
  start(later, "")->set_caller(&notes_);
  late.waiting.clear();
  EXPECT_EQ(notes_.failure, Errc::kInternal);
  EXPECT_EQ(pool_.live(), 0);
}

// An exception of a provider fails its call, whether it still had the completion or kept it.
TEST_F(CallTest, ExceptionsStopAtTheCall) {
  struct Thrower : Provider {
    void begin(Call&, Completion done) override {
      if (keep) kept = std::move(done);
      throw std::runtime_error("no such luck");
    }
    bool keep = false;
    Completion kept;
  } thrower;
  Link link(function_named("throw"), thrower);
  Call* call = start(link, "");
  ASSERT_EQ(call->state(), Call::State::kFailed);
  EXPECT_EQ(call->error().code(), Errc::kInternal);
  EXPECT_THAT(call->error().message(), ::testing::HasSubstr("its provider threw: no such luck"));
  call->release();

  thrower.keep = true;
  call = start(link, "");
  EXPECT_EQ(call->state(), Call::State::kRunning);
  call->set_caller(&notes_);
  std::move(thrower.kept).finish();
  EXPECT_EQ(notes_.count, 1);
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(CallTest, CancelRunsTheHookOnceAndIgnoresTheLateAnswer) {
  Late late;
  Link link(function_named("late"), late);
  Call* call = start(link, "x");
  call->set_caller(&notes_);
  int hooks = 0;
  late.waiting[0].on_cancel([](void* count) { ++*static_cast<int*>(count); }, &hooks);
  EXPECT_FALSE(late.waiting[0].cancelled());
  call->release();
  EXPECT_EQ(hooks, 1);
  EXPECT_TRUE(late.waiting[0].cancelled());
  EXPECT_EQ(pool_.live(), 1);
  late.finish_one("too late");
  EXPECT_EQ(hooks, 1);
  EXPECT_EQ(notes_.count, 0);
  EXPECT_EQ(pool_.live(), 0);
}

// A provider may finish the call from inside its cancel hook.
TEST_F(CallTest, CancelHookMayFinishTheCall) {
  Late late;
  Link link(function_named("late"), late);
  Call* call = start(link, "x");
  late.waiting[0].on_cancel(
      [](void* data) {
        auto* provider = static_cast<Late*>(data);
        Completion done = std::move(provider->waiting[0]);
        provider->waiting.clear();
        std::move(done).fail(Error(Errc::kCancelled, "gone"));
      },
      &late);
  call->release();
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(CallTest, ReleaseAfterTheEndIsNoCancel) {
  Late late;
  Link link(function_named("late"), late);
  Call* call = start(link, "x");
  int hooks = 0;
  late.waiting[0].on_cancel([](void* count) { ++*static_cast<int*>(count); }, &hooks);
  late.finish_one("done");
  EXPECT_EQ(call->state(), Call::State::kDone);
  call->release();
  EXPECT_EQ(hooks, 0);
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(CallTest, ArgumentsHoldOnlyWhenKept) {
  Late late;
  Link link(function_named("late"), late);
  std::string arguments = "borrowed";
  Call* call = start(link, arguments);
  EXPECT_TRUE(call->arguments().empty());

  struct Keeps : Late {
    void begin(Call& call, Completion done) override {
      call.keep_arguments();
      Late::begin(call, std::move(done));
    }
  } keeps;
  Link keeping(function_named("keeps"), keeps);
  Call* kept = start(keeping, arguments);
  arguments = "overwritten";
  EXPECT_EQ(as_text(kept->arguments()), "borrowed");
  call->release();
  kept->release();
  late.waiting.clear();
  keeps.waiting.clear();
}

TEST_F(CallTest, FramesAndTheirRoomAreUsedAgain) {
  Echo echo;
  Link link(function_named("echo"), echo);
  Call* first = start(link, "0123456789");
  const std::uint8_t* room = first->reply().data();
  first->release();
  Call* second = start(link, "abc");
  EXPECT_EQ(first, second);
  EXPECT_EQ(second->reply().data(), room);
  EXPECT_EQ(as_text(second->reply()), "abc");
  second->release();
}

TEST_F(CallTest, UsedFramesShowNothingOfEarlierCalls) {
  Late late;
  Link link(function_named("late"), late);
  start(link, "x")->release();
  std::move(late.waiting[0]).fail(Error(Errc::kIo, "broken"));
  late.waiting.clear();
  Echo echo;
  Link second(function_named("echo"), echo);
  Call* call = start(second, "y");
  EXPECT_EQ(call->state(), Call::State::kDone);
  EXPECT_FALSE(call->cancelled());
  EXPECT_EQ(as_text(call->reply()), "y");
  call->release();
}

TEST_F(CallTest, DeadlinesOnlyGetShorter) {
  Late late;
  Link link(function_named("late"), late);
  Deadline soon = Deadline::after(std::chrono::seconds(1));
  Call* call = pool_.start(link, context_, {}, soon);
  call->shorten(Deadline::never());
  EXPECT_EQ(call->deadline().when(), soon.when());
  Deadline sooner = Deadline::at(soon.when() - std::chrono::milliseconds(500));
  call->shorten(sooner);
  EXPECT_EQ(call->deadline().when(), sooner.when());
  call->release();
  late.waiting.clear();
}

// A context that is retired while a cancelled call unwinds lives until that call is over.
TEST_F(CallTest, ContextOutlivesItsCalls) {
  struct Marks : Resource {
    explicit Marks(bool& destroyed) : destroyed_(destroyed) {}
    ~Marks() override { destroyed_ = true; }
    bool& destroyed_;
  };
  bool destroyed = false;
  auto context = std::make_unique<Context>(testing::no_loop(), "shop", "cart");
  ASSERT_TRUE(context->resources().push(this, std::make_unique<Marks>(destroyed)));
  Late late;
  Link link(function_named("late"), late);
  Call* call = pool_.start(link, *context, {}, Deadline::never());
  call->release();
  Context::retire(std::move(context));
  EXPECT_FALSE(destroyed);
  EXPECT_EQ(late.waiting[0].call().context().component(), "cart");
  late.finish_one("");
  EXPECT_TRUE(destroyed);
}

}  // namespace
}  // namespace weft
