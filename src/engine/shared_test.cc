// Shows that one instance of a component serves every caller on its loop: what it keeps is kept for
// all, and its end is an error of the calls in it and of nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/buffer.h"
#include "door/codec.h"
#include "door/values.h"
#include "engine/shared_instance.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Bytes encoded_text(const std::string& text) {
  Buffer bytes;
  Writer out(bytes);
  out.write(text);
  return {bytes.view().begin(), bytes.view().end()};
}

Bytes encoded_number(std::uint32_t value) {
  Buffer bytes;
  Writer(bytes).unsigned_leb(value);
  return {bytes.view().begin(), bytes.view().end()};
}

std::uint32_t number(BytesView bytes) {
  return static_cast<std::uint32_t>(Reader(bytes).unsigned_leb(32));
}

// Those who call: each a context, as an instance would have one.
struct Calling : Caller {
  Calling(Ground& its_ground, Stage& stage, SharedInstance& provider)
      : ground(its_ground), context(std::make_unique<Context>(ground.loop(), "app", "caller")) {
    for (std::uint32_t number = 0; number < stage.info().exports.size(); ++number) {
      const ExportedFunction& each = stage.info().exports[number];
      links.push_back(std::make_unique<Link>(Function{.interface = each.interface,
                                                      .name = each.name,
                                                      .signature = each.signature,
                                                      .ordinal = number,
                                                      .plain = each.plain},
                                             provider));
      names.push_back(each.name);
    }
  }
  ~Calling() override {
    give_up();
    go();
  }

  // Starts a call; its outcome is in `outcome` once it has one.
  void start(std::string_view name, const Bytes& arguments = {},
             Deadline deadline = Deadline::never()) {
    outcome.reset();
    auto place = std::ranges::find(names, name) - names.begin();
    call = ground.engine().calls().start(*links.at(static_cast<std::size_t>(place)), *context,
                                         arguments, deadline);
    if (call->state() == Call::State::kRunning) return call->set_caller(this);
    completed(*call);
  }
  void completed(Call& ended) override {
    outcome = ended.state() == Call::State::kDone
                  ? Result<Bytes>(Bytes(ended.reply().begin(), ended.reply().end()))
                  : std::unexpected(ended.error());
    std::exchange(call, nullptr)->release();
  }
  Result<Bytes> ask(std::string_view name, const Bytes& arguments = {},
                    Deadline deadline = Deadline::never()) {
    start(name, arguments, deadline);
    if (!ground.run_until([this] { return outcome.has_value(); })) {
      return failure(Errc::kTimeout, "no outcome");
    }
    return *std::move(outcome);
  }
  std::uint32_t value(std::string_view name, const Bytes& arguments = {}) {
    auto came = ask(name, arguments);
    EXPECT_TRUE(came) << name << ": " << came.error().message();
    return came ? number(*came) : UINT32_MAX;
  }
  void give_up() {
    if (call != nullptr) std::exchange(call, nullptr)->release();
  }
  void go() {
    if (context != nullptr) Context::retire(std::move(context));
  }

  Ground& ground;
  std::unique_ptr<Context> context;
  std::vector<std::unique_ptr<Link>> links;
  std::vector<std::string> names;
  Call* call = nullptr;
  std::optional<Result<Bytes>> outcome;
};

// The component that keeps counts (tests/guests/links_callee), shared.
class Shared : public ::testing::Test {
 protected:
  explicit Shared(const StageOptions& options = {}, const char* name = "links_callee")
      : stage_(ground_, guest(name), options), shared_(stage_.deployment(), stage_.info()) {}

  Ground ground_;
  Stage stage_;
  SharedInstance shared_;
  Calling a_{ground_, stage_, shared_};
  Calling b_{ground_, stage_, shared_};
};

// One instance counts for both, also after one of them has gone.
TEST_F(Shared, KeepsItsStateForAll) {
  EXPECT_EQ(stage_.deployment().contexts, 0u) << "it is made at the first call";
  EXPECT_EQ(a_.value("calls"), 1u);
  EXPECT_EQ(b_.value("calls"), 2u);
  EXPECT_EQ(a_.value("calls"), 3u);
  a_.go();
  EXPECT_EQ(b_.value("calls"), 4u);
  EXPECT_EQ(stage_.deployment().contexts, 1u);
  shared_.end();
  EXPECT_EQ(stage_.deployment().contexts, 0u);
}

// A trap is an error of the call, which says whose it was, and the next call has a new instance.
TEST_F(Shared, LosesItsStateInATrap) {
  EXPECT_EQ(a_.value("calls"), 1u);
  auto outcome = a_.ask("trap");
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message(), HasSubstr("component guest"));
  EXPECT_EQ(b_.value("calls"), 1u);
  EXPECT_TRUE(ground_.run_until([&] { return stage_.deployment().contexts == 1; }))
      << "the one that trapped is gone";
}

// A resource belongs to the caller that got it: nobody else's number means it, and it goes with
// that caller, though the instance goes on.
TEST_F(Shared, DropsTheResourcesOfACallerThatGoes) {
  std::uint32_t counter = a_.value("[constructor]counter", encoded_number(5));
  b_.value("[constructor]counter", encoded_number(6));
  EXPECT_EQ(a_.value("[method]counter.next", encoded_number(counter)), 5u);
  EXPECT_EQ(b_.value("alive"), 2u);
  EXPECT_FALSE(b_.ask("[method]counter.next", encoded_number(77)));
  a_.go();
  EXPECT_EQ(b_.value("alive"), 1u);
}

// A resource of an instance that has ended is no resource of the next.
TEST_F(Shared, ForgetsTheResourcesOfOneThatEnded) {
  std::uint32_t counter = a_.value("[constructor]counter", encoded_number(5));
  EXPECT_FALSE(b_.ask("trap"));
  b_.value("[constructor]counter", encoded_number(9));
  auto outcome = a_.ask("[method]counter.next", encoded_number(counter));
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message(), HasSubstr("the resource went with its instance"));
  a_.context->resources().drop(counter);
  EXPECT_EQ(b_.value("alive"), 1u);
}

struct SharedSpinning : Shared {
  SharedSpinning() : Shared({.limits = {.cpu = 100ms}}) {}
};

// Calls that wait behind one that spins fail with it when its processor time is over.
TEST_F(SharedSpinning, EndsOneThatSpins) {
  a_.start("spin");
  std::vector<std::unique_ptr<Calling>> behind;
  for (int i = 0; i < 3; ++i) {
    behind.push_back(std::make_unique<Calling>(ground_, stage_, shared_));
    behind.back()->start("calls");
  }
  ASSERT_TRUE(ground_.run_until([&] { return a_.outcome.has_value(); }));
  EXPECT_THAT(a_.outcome->error().message(), HasSubstr("processor time"));
  for (auto& each : behind) {
    ASSERT_TRUE(each->outcome.has_value());
    EXPECT_EQ(each->outcome->error().code(), Errc::kUnavailable);
  }
  EXPECT_EQ(b_.value("calls"), 1u);
}

// One that waits for what it imports, which the test's script answers.
struct SharedWaiting : Shared {
  explicit SharedWaiting(const StageOptions& options = {}) : Shared(options, "echo_iface") {
    stage_.script().way = [](const Call&) { return Script::Way::kLater; };
  }
  bool waits(std::size_t count) {
    return ground_.run_until([&] { return stage_.script().waiting.size() >= count; });
  }
};

// A caller's deadline ends its wait and leaves the instance alone.
TEST_F(SharedWaiting, OutlivesACallersDeadline) {
  auto outcome = a_.ask("text", encoded_text("x"), Deadline::after(50ms));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Errc::kTimeout);
  EXPECT_EQ(stage_.script().cancelled, 0) << "the guest goes on";
  b_.start("text", encoded_text("y"));
  ASSERT_TRUE(waits(1));
  stage_.script().way = [](const Call&) { return Script::Way::kInline; };
  stage_.script().finish(0);
  ASSERT_TRUE(ground_.run_until([&] { return b_.outcome.has_value(); }));
  ASSERT_TRUE(*b_.outcome) << b_.outcome->error().message();
  EXPECT_EQ(**b_.outcome, encoded_text("y"));
}

// One that a caller gives up goes on too, and the next call has its turn after it.
TEST_F(SharedWaiting, OutlivesACallerThatGoes) {
  a_.start("text", encoded_text("x"));
  ASSERT_TRUE(waits(1));
  a_.give_up();
  a_.go();
  EXPECT_EQ(stage_.script().cancelled, 0);
  b_.start("text", encoded_text("y"));
  stage_.script().way = [](const Call&) { return Script::Way::kInline; };
  stage_.script().finish(0);
  ASSERT_TRUE(ground_.run_until([&] { return b_.outcome.has_value(); }));
  EXPECT_TRUE(*b_.outcome);
}

// The end of the service fails what is in it.
TEST_F(SharedWaiting, FailsWhatIsInItWhenItEnds) {
  a_.start("text", encoded_text("x"));
  ASSERT_TRUE(waits(1));
  shared_.end();
  ASSERT_TRUE(a_.outcome.has_value());
  EXPECT_EQ(a_.outcome->error().code(), Errc::kUnavailable);
  stage_.script().waiting.clear();
}

struct SharedOutOfTime : SharedWaiting {
  SharedOutOfTime() : SharedWaiting({.limits = {.time = 1s}}) {}
};

// The component's own time ends a call that does not come back, given up or not, and with it the
// instance: the next call has another.
TEST_F(SharedOutOfTime, EndsOneThatDoesNotComeBack) {
  a_.start("text", encoded_text("x"));
  ASSERT_TRUE(waits(1));
  a_.give_up();
  auto outcome = b_.ask("text", encoded_text("y"));
  ASSERT_FALSE(outcome);
  ASSERT_TRUE(ground_.run_until([&] { return stage_.script().cancelled == 1; }));
  stage_.script().waiting.clear();
  stage_.script().way = [](const Call&) { return Script::Way::kInline; };
  auto next = b_.ask("text", encoded_text("z"));
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_EQ(*next, encoded_text("z"));
}

}  // namespace
}  // namespace weft::testing
