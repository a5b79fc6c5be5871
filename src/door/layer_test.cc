// Shows what layers see and may do: the order around a call, answering, refusing, holding,
// retrying, and that each `before` that let a call pass gets its `after`, also when the caller is
// gone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "door/testing.h"

namespace weft {
namespace {

using testing::Echo;
using ::testing::ElementsAre;
using testing::function_named;
using testing::Late;
using testing::Notes;

// Writes its name when it sees a call, and does in `before` and `after` what the test sets.
class Spy : public Layer {
 public:
  Spy(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}

  Flow before(Call& call, State& state) override {
    log_.push_back(name_ + ">");
    state.words[0] = 0x77 + name_[0];
    held = &call;
    if (on_before) return on_before(call);
    return Flow::kOn;
  }
  Flow after(Call& call, State& state) override {
    log_.push_back("<" + name_);
    EXPECT_EQ(state.words[0], static_cast<std::uint64_t>(0x77 + name_[0]));
    held = &call;
    if (on_after) return on_after(call);
    return Flow::kOn;
  }

  std::function<Flow(Call&)> on_before;
  std::function<Flow(Call&)> on_after;
  Call* held = nullptr;

 private:
  std::string name_;
  std::vector<std::string>& log_;
};

class LayerTest : public ::testing::Test {
 protected:
  Call* start(Link& link, std::string_view arguments = "x") {
    return pool_.start(link, context_, as_bytes(arguments), Deadline::never());
  }

  CallPool pool_;
  Context context_{testing::no_loop(), "shop", "cart"};
  Notes notes_;
  std::vector<std::string> log_;
  Spy a_{"a", log_};
  Spy b_{"b", log_};
  Spy c_{"c", log_};
  Echo echo_;
  Late late_;
};

TEST_F(LayerTest, BeforeRunsInwardsAndAfterOutwards) {
  Link link(function_named("f"), echo_, {&a_, &b_, &c_});
  start(link)->release();
  EXPECT_THAT(log_, ElementsAre("a>", "b>", "c>", "<c", "<b", "<a"));
}

TEST_F(LayerTest, AfterRunsForLateCallsAndForCancelledOnes) {
  Link link(function_named("f"), late_, {&a_});
  start(link)->set_caller(&notes_);
  EXPECT_THAT(log_, ElementsAre("a>"));
  late_.finish_one("r");
  EXPECT_THAT(log_, ElementsAre("a>", "<a"));
  EXPECT_EQ(notes_.reply, "r");
  start(link)->release();
  late_.finish_one("r");
  EXPECT_THAT(log_, ElementsAre("a>", "<a", "a>", "<a"));
}

TEST_F(LayerTest, AnAnswerSkipsWhatIsInside) {
  b_.on_before = [](Call& call) {
    call.answer().append("cached");
    return Layer::Flow::kAnswered;
  };
  Link link(function_named("f"), echo_, {&a_, &b_, &c_});
  Call* call = start(link);
  ASSERT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()), "cached");
  call->release();
  EXPECT_THAT(log_, ElementsAre("a>", "b>", "<a"));
}

TEST_F(LayerTest, ARefusalFailsTheCall) {
  a_.on_before = [](Call& call) {
    call.refuse(Error(Errc::kDenied, "not granted"));
    return Layer::Flow::kAnswered;
  };
  Link link(function_named("f"), echo_, {&a_});
  Call* call = start(link);
  ASSERT_EQ(call->state(), Call::State::kFailed);
  EXPECT_EQ(call->error().message(), "not granted");
  call->release();
}

TEST_F(LayerTest, AfterMayReplaceTheOutcome) {
  a_.on_after = [](Call& call) {
    EXPECT_EQ(call.outcome(), Call::State::kFailed);
    call.answer().append("stale value");
    return Layer::Flow::kAnswered;
  };
  b_.on_after = [](Call& call) {
    call.refuse(Error(Errc::kUnavailable, "down"));
    return Layer::Flow::kAnswered;
  };
  Link link(function_named("f"), echo_, {&a_, &b_});
  Call* call = start(link);
  EXPECT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()), "stale value");
  call->release();
}

TEST_F(LayerTest, HoldingBeforeKeepsTheArgumentsAndResumes) {
  a_.on_before = [](Call&) { return Layer::Flow::kHold; };
  Link link(function_named("f"), echo_, {&a_, &b_});
  std::string arguments = "kept";
  Call* call = start(link, arguments);
  arguments = "gone";
  ASSERT_EQ(call->state(), Call::State::kRunning);
  call->set_caller(&notes_);
  a_.held->resume();
  EXPECT_EQ(notes_.reply, "kept");
  EXPECT_THAT(log_, ElementsAre("a>", "b>", "<b", "<a"));
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(LayerTest, ALayerThatHeldMayRefuse) {
  b_.on_before = [](Call&) { return Layer::Flow::kHold; };
  Link link(function_named("f"), echo_, {&a_, &b_, &c_});
  start(link)->set_caller(&notes_);
  b_.held->refuse(Error(Errc::kTimeout, "waited too long for a turn"));
  b_.held->resume();
  EXPECT_EQ(notes_.failure, Errc::kTimeout);
  EXPECT_THAT(log_, ElementsAre("a>", "b>", "<a"));
}

TEST_F(LayerTest, ACallCancelledWhileHeldDoesNotReachTheProvider) {
  b_.on_before = [](Call&) { return Layer::Flow::kHold; };
  Link link(function_named("f"), late_, {&a_, &b_});
  Call* call = start(link);
  int hooks = 0;
  b_.held->on_cancel([](void* count) { ++*static_cast<int*>(count); }, &hooks);
  call->release();
  EXPECT_EQ(hooks, 1);
  b_.held->resume();
  EXPECT_TRUE(late_.waiting.empty());
  EXPECT_THAT(log_, ElementsAre("a>", "b>", "<a"));
  EXPECT_EQ(pool_.live(), 0);
}

// Two failures inline, then a success: the layer outside sees one call, the one inside three.
TEST_F(LayerTest, RetryRepeatsOnlyWhatIsInsideTheLayer) {
  struct FailsTwice : Provider {
    void begin(Call& call, Completion done) override {
      if (++attempts < 3) return std::move(done).fail(Error(Errc::kUnavailable, "busy"));
      done.reply().append(call.arguments());
      std::move(done).finish();
    }
    int attempts = 0;
  } provider;
  b_.on_before = [](Call& call) {
    call.keep_arguments();
    return Layer::Flow::kOn;
  };
  b_.on_after = [](Call& call) {
    return call.outcome() == Call::State::kFailed ? Layer::Flow::kHold : Layer::Flow::kOn;
  };
  Link link(function_named("f"), provider, {&a_, &b_, &c_});
  Call* call = start(link, "again");
  ASSERT_EQ(call->state(), Call::State::kRunning);
  EXPECT_EQ(call->outcome(), Call::State::kFailed);
  call->set_caller(&notes_);
  b_.held->retry();
  EXPECT_EQ(notes_.count, 0);
  b_.held->retry();
  EXPECT_EQ(notes_.reply, "again");
  EXPECT_EQ(provider.attempts, 3);
  EXPECT_THAT(log_,
              ElementsAre("a>", "b>", "c>", "<c", "<b", "c>", "<c", "<b", "c>", "<c", "<b", "<a"));
}

TEST_F(LayerTest, RetryOfACancelledCallOnlyEndsIt) {
  b_.on_after = [](Call&) { return Layer::Flow::kHold; };
  Link link(function_named("f"), echo_, {&a_, &b_, &c_});
  start(link)->release();
  EXPECT_EQ(pool_.live(), 1);
  b_.held->retry();
  EXPECT_THAT(log_, ElementsAre("a>", "b>", "c>", "<c", "<b", "<a"));
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(LayerTest, HoldingAfterDelaysTheOutcome) {
  a_.on_after = [](Call&) { return Layer::Flow::kHold; };
  Link link(function_named("f"), late_, {&a_});
  start(link)->set_caller(&notes_);
  late_.finish_one("slow");
  EXPECT_EQ(notes_.count, 0);
  a_.held->resume();
  EXPECT_EQ(notes_.reply, "slow");
}

}  // namespace
}  // namespace weft
