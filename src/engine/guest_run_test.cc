// Shows runs of guests from start to end: values both ways, exit codes, traps, every limit, and
// every way in which a call through the door may be answered.

#include "engine/guest_run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "door/values.h"
#include "engine/test_guests.h"
#include "engine/testing.h"
#include "io/loop.h"

namespace weft::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;
using Ending = RunOutcome::Ending;
using Way = Script::Way;

template <class... T>
Bytes encoded(const T&... values) {
  Buffer buffer;
  Writer writer(buffer);
  (writer.write(values), ...);
  must(writer.end());
  return {buffer.view().begin(), buffer.view().end()};
}

Bytes number(std::uint32_t value) {
  return encoded(value);
}

std::string async_guest() {
  return file_with("async.wat", kAsyncGuest);
}
std::string unruly_guest() {
  return file_with("unruly.wat", kUnrulyGuest);
}

// Every type goes into an export, out of an import, and both ways back unchanged.
TEST(GuestRun, CarriesValuesBothWays) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  auto echoes = [&](std::string_view name, const Bytes& arguments) {
    Stage::Ended ended = stage.call(name, arguments);
    EXPECT_TRUE(ended.outcome.well()) << name << ": " << ended.outcome.message;
    EXPECT_THAT(ended.reply, ElementsAreArray(arguments)) << name;
  };
  echoes("nothing", {});
  echoes("truth", encoded(true));
  echoes("number", number(4'000'000'000));
  echoes("long", encoded(std::int64_t{-5'000'000'000}));
  echoes("real", encoded(3.25));
  echoes("letter", encoded(U'\u00fc'));
  echoes("text", encoded(std::string("na\xc3\xafve")));
  echoes("text", encoded(std::string(100'000, 'x')));
  echoes("bytes", encoded(Bytes{0, 255, 1}));
  echoes("words", encoded(std::vector<std::string>{"a", "", "bc"}));
  echoes("a-color", {2});
  echoes("an-access", {5});
  echoes("maybe", {0});
  echoes("pair", encoded(std::uint8_t{9}, std::string("nine")));
}

// More parameters than fit into registers go through memory.
TEST(GuestRun, CarriesManyParameters) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  Stage::Ended ended = stage.call(
      "many", encoded(std::uint8_t{1}, std::uint16_t{2}, std::uint32_t{3}, std::uint64_t{4},
                      std::int8_t{-5}, std::int16_t{-6}, std::int32_t{-7}, std::int64_t{-8}, 9.5F,
                      10.5, std::string("eleven"), std::string("twelve"), Bytes{13},
                      std::uint32_t{14}, std::uint64_t{15}));
  EXPECT_TRUE(ended.outcome.well()) << ended.outcome.message;
  EXPECT_EQ(ended.reply, encoded(std::string("that was a lot")));
}

// Arguments that are not of the parameters' type never reach the guest.
TEST(GuestRun, RefusesWrongArguments) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  for (const Bytes& wrong : {Bytes{}, Bytes{5, 'x'}, Bytes{1, 0xff}, Bytes{1, 'x', 0}}) {
    Stage::Ended ended = stage.call("text", wrong);
    EXPECT_EQ(ended.outcome.ending, Ending::kFailed);
    EXPECT_THAT(ended.outcome.message, HasSubstr("arguments"));
  }
  EXPECT_EQ(stage.script().begun, 0);
}

// A command's exit code comes through; its arguments, environment and closed files are its grants.
TEST(GuestRun, PassesExitCodes) {
  Ground ground;
  auto exit_code = [&](std::vector<std::string> args) {
    StageOptions options;
    options.grants.args = std::move(args);
    Stage stage(ground, guest("hello_command"), options);
    Stage::Ended ended = stage.command();
    EXPECT_TRUE(ended.outcome.well()) << ended.outcome.message;
    return ended.outcome.exit_code;
  };
  EXPECT_EQ(exit_code({"hello"}), 0);
  EXPECT_EQ(exit_code({"hello", "exit", "1"}), 1);
  EXPECT_EQ(exit_code({"hello", "env", "HOME"}), 1) << "nothing of the environment is granted";
  EXPECT_EQ(exit_code({"hello", "read", "/etc/passwd"}), 1) << "no folder is granted";
  EXPECT_EQ(exit_code({"hello", "cat"}), 0) << "standard input is at its end";
}

// A library has nothing to run, and a command no export of that number: errors, not crashes.
TEST(GuestRun, FailsWhereThereIsNothingToRun) {
  Ground ground;
  Stage stage(ground, unruly_guest());
  EXPECT_THAT(stage.command().outcome.message, HasSubstr("no command"));
  std::optional<RunOutcome> outcome;
  auto run = GuestRun::call(stage.deployment(), 99, {},
                            [&](RunOutcome ended, BytesView) { outcome = std::move(ended); });
  ASSERT_TRUE(ground.run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->ending, Ending::kFailed);
}

// A trap's report names the component, what happened and the functions on the way to it.
TEST(GuestRun, ReportsTraps) {
  Ground ground;
  Stage stage(ground, unruly_guest());
  RunOutcome trap = stage.call("trap", {}).outcome;
  EXPECT_EQ(trap.ending, Ending::kTrapped);
  EXPECT_THAT(trap.message, AllOf(HasSubstr("component guest"), HasSubstr("divide by zero"),
                                  HasSubstr("0: divide"), HasSubstr("1: shop")));
  RunOutcome deep = stage.call("deep", {}).outcome;
  EXPECT_EQ(deep.ending, Ending::kTrapped);
  EXPECT_THAT(deep.message, HasSubstr("call stack exhausted"));
  EXPECT_LT(deep.message.size(), 4096u) << "a deep stack is cut";
}

// A guest that never ends is stopped by its processor time, and its neighbour runs meanwhile.
TEST(GuestRun, EndsWithinItsProcessorTime) {
  Ground ground;
  Stage spinning(ground, unruly_guest(), {.limits = {.cpu = std::chrono::milliseconds(600)}});
  Stage neighbour(ground, guest("echo_iface"));
  std::optional<RunOutcome> outcome;
  auto run = GuestRun::call(spinning.deployment(), spinning.function("spin"), {},
                            [&](RunOutcome ended, BytesView) { outcome = std::move(ended); });
  int served = 0;
  while (!outcome && served < 1'000) {
    EXPECT_TRUE(neighbour.call("number", number(1)).outcome.well());
    if (!outcome) ++served;
  }
  EXPECT_GE(served, 1) << "the neighbour had a turn while the other one spun";
  ASSERT_TRUE(ground.run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->ending, Ending::kLimited);
  EXPECT_THAT(outcome->message, HasSubstr("processor time (600 ms)"));
}

// A guest that waits, or spins, is stopped by its time; so is one that waits for the door.
TEST(GuestRun, EndsWithinItsTime) {
  Ground ground;
  Stage spinning(ground, unruly_guest(), {.limits = {.time = std::chrono::milliseconds(60)}});
  RunOutcome spun = spinning.call("spin", {}).outcome;
  EXPECT_EQ(spun.ending, Ending::kLimited);
  EXPECT_THAT(spun.message, HasSubstr("time limit of 60 ms"));

  Stage waiting(ground, guest("echo_iface"), {.limits = {.time = std::chrono::milliseconds(60)}});
  waiting.script().way = [](const Call&) { return Way::kLater; };
  RunOutcome waited = waiting.call("number", number(1)).outcome;
  EXPECT_EQ(waited.ending, Ending::kLimited);
  EXPECT_EQ(waiting.script().cancelled, 1) << "the call it waited for is given up";
}

// Memory beyond the limit is refused to the guest, which may live on.
TEST(GuestRun, RefusesMemoryBeyondItsLimit) {
  Ground ground;
  Stage stage(ground, unruly_guest(), {.limits = {.memory_bytes = 1 << 20}});
  EXPECT_EQ(stage.call("grow", number(15)).reply, Bytes{1});
  EXPECT_EQ(stage.call("grow", number(16)).reply, Bytes{0});
  EXPECT_EQ(stage.call("grow", number(65'000)).reply, Bytes{0});
}

// All memories of an instance share its limit.
TEST(GuestRun, BoundsItsMemoriesTogether) {
  Ground ground;
  Stage stage(ground, file_with("memories.wat", kManyMemoriesGuest),
              {.limits = {.memory_bytes = 1 << 20}});
  EXPECT_EQ(stage.call("grow", number(3)).reply, number(4)) << "16 pages: all that it may have";
  EXPECT_EQ(stage.call("grow", number(6)).reply, number(2)) << "4 pages, and twice 6";
  EXPECT_EQ(stage.call("grow", number(13)).reply, number(0));
}

// A program that asks for more memory than its limit at once, or than a pool's slot has, is told
// so, or runs outside the pool.
TEST(GuestRun, RunsWhatDoesNotFitThePool) {
  Ground ground;
  Stage large(ground, unruly_guest(), {.limits = {.memory_bytes = std::uint64_t{256} << 20}});
  EXPECT_EQ(large.call("grow", number(2'000)).reply, Bytes{1});
}

// Handles beyond the limit fail the call that would make them; the table frees what is left open.
TEST(GuestRun, BoundsOpenHandles) {
  Ground ground;
  Stage stage(ground, file_with("hoarder.wat", kHoarderGuest), {.limits = {.handles_max = 50}});
  EXPECT_EQ(stage.call("hoard", number(40)).reply, number(7));
  EXPECT_EQ(Counter::alive, 0);
  RunOutcome outcome = stage.call("hoard", number(100)).outcome;
  EXPECT_FALSE(outcome.well());
  EXPECT_THAT(outcome.message, AnyOf(HasSubstr("resource"), HasSubstr("handle")));
  EXPECT_EQ(Counter::alive, 0);
}

// A call that carries more bytes than one may is refused.
TEST(GuestRun, BoundsBytesPerCall) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"), {.limits = {.hostcall_bytes = 10'000}});
  EXPECT_TRUE(stage.call("bytes", encoded(Bytes(5'000, 1))).outcome.well());
  EXPECT_FALSE(stage.call("bytes", encoded(Bytes(20'000, 1))).outcome.well());
}

// Own and borrowed handles cross, are dropped by the guest, and are gone in the end.
TEST(GuestRun, CarriesResources) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  Stage::Ended ended = stage.call("count", encoded(std::uint32_t{30}, std::uint32_t{12}));
  EXPECT_TRUE(ended.outcome.well()) << ended.outcome.message;
  EXPECT_EQ(ended.reply, number(42));
  EXPECT_EQ(Counter::alive, 0);
}

class Ways : public ::testing::TestWithParam<Way> {};

// However a call is answered that is answered well, the guest sees the same.
TEST_P(Ways, AnswerAlike) {
  Ground ground;
  Stage plain(ground, guest("echo_iface"));
  Stage async(ground, async_guest());
  for (Stage* stage : {&plain, &async}) {
    stage->script().way = [](const Call&) { return GetParam(); };
  }
  auto ends = [&](Stage& stage, std::string_view name, const Bytes& arguments) {
    std::optional<Stage::Ended> ended;
    auto run = GuestRun::call(stage.deployment(), stage.function(name), arguments,
                              [&](RunOutcome outcome, BytesView reply) {
                                ended = {std::move(outcome), Bytes(reply.begin(), reply.end())};
                              });
    EXPECT_TRUE(ground.run_until([&] {
      if (!stage.script().waiting.empty()) stage.script().finish(0);
      return ended.has_value();
    })) << name;
    EXPECT_TRUE(ended->outcome.well()) << name << ": " << ended->outcome.message;
    return ended->reply;
  };
  EXPECT_EQ(ends(plain, "text", encoded(std::string("hi"))), encoded(std::string("hi")));
  EXPECT_EQ(ends(plain, "count", encoded(std::uint32_t{1}, std::uint32_t{2})), number(3));
  EXPECT_EQ(ends(async, "one", number(5)), number(5));
  EXPECT_EQ(ends(async, "three", number(5)), number(15));
  EXPECT_EQ(Counter::alive, 0);
}

INSTANTIATE_TEST_SUITE_P(All, Ways, ::testing::Values(Way::kInline, Way::kLater, Way::kThread));

// A command that prints so many lines, and then a last one without its end.
std::string printing_guest(int lines) {
  return file_with(fmt::format("printing{}.wat", lines), fmt::format(R"((module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "a line\n")
  (data (i32.const 32) "the rest")
  (func $print (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $i i32)
    (loop $next
      (call $print (i32.const 16) (i32.const 7))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const {}))))
    (call $print (i32.const 32) (i32.const 8)))))",
                                                                     lines));
}

std::string logged(const std::string& file) {
  ::testing::internal::CaptureStderr();
  Ground ground;
  std::optional<Stage> stage;
  stage.emplace(ground, file);
  EXPECT_TRUE(stage->command().outcome.well());
  stage.reset();
  return ::testing::internal::GetCapturedStderr();
}

// What a guest prints is a line of the log each, the last one also when it has no end.
TEST(GuestRun, LogsWhatIsPrinted) {
  std::string said = logged(printing_guest(2));
  EXPECT_EQ(std::ranges::count(said, '\n'), 3) << said;
  EXPECT_THAT(said,
              AllOf(HasSubstr("guest: a line app=app request="), HasSubstr("guest: the rest ")));
}

// A guest that prints without end is cut down to what a component may log, and told how much went.
TEST(GuestRun, BoundsWhatIsPrinted) {
  std::string said = logged(printing_guest(20'000));
  auto lines = std::ranges::count(said, '\n');
  EXPECT_GE(lines, 1'000);
  EXPECT_LT(lines, 10'000);
  EXPECT_THAT(said, HasSubstr("lines of this component were dropped"));
  EXPECT_THAT(said, HasSubstr(" dropped="));
}

// A guest may give up a call in flight: its provider hears of it.
TEST(GuestRun, MayCancelACall) {
  Ground ground;
  Stage stage(ground, async_guest());
  stage.script().way = [](const Call&) { return Way::kLater; };
  Stage::Ended ended = stage.call("cancelled", number(5));
  EXPECT_TRUE(ended.outcome.well()) << ended.outcome.message;
  EXPECT_EQ(ended.reply, number(4)) << "cancelled before it returned";
  EXPECT_EQ(stage.script().cancelled, 1);
  stage.script().finish(0);
}

// A call that fails, or whose provider forgets it or throws, ends the guest with the provider's
// reason.
TEST(GuestRun, EndsWithAFailedCall) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  stage.script().way = [](const Call&) { return Way::kFail; };
  RunOutcome failed = stage.call("number", number(1)).outcome;
  EXPECT_FALSE(failed.well());
  EXPECT_THAT(failed.message, HasSubstr("the store is on fire"));
  stage.script().way = [](const Call&) { return Way::kDrop; };
  RunOutcome dropped = stage.call("number", number(1)).outcome;
  EXPECT_THAT(dropped.message, HasSubstr("its provider dropped the call"));
  if (!kMayThrow) return;
  stage.script().way = [](const Call&) { return Way::kThrow; };
  RunOutcome thrown = stage.call("number", number(1)).outcome;
  EXPECT_THAT(thrown.message, HasSubstr("its provider threw: a library gave up"));
}

// A reply that is not of the result's type ends that guest alone.
TEST(GuestRun, SurvivesWrongReplies) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  stage.script().garble = true;
  RunOutcome garbled = stage.call("text", encoded(std::string("hi"))).outcome;
  EXPECT_FALSE(garbled.well());
  EXPECT_THAT(garbled.message, HasSubstr("1 bytes left over"));
  stage.script().garble = false;
  EXPECT_TRUE(stage.call("text", encoded(std::string("hi"))).outcome.well());
}

// A run that is dropped stops its guest; the calls it made are given up, and may finish later.
TEST(GuestRun, IsStoppedByItsDrop) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  stage.script().way = [](const Call&) { return Way::kLater; };
  auto run = GuestRun::call(stage.deployment(), stage.function("number"), number(1),
                            [&](RunOutcome, BytesView) { FAIL() << "it was dropped"; });
  ASSERT_TRUE(ground.run_until([&] { return stage.script().waiting.size() == 1; }));
  run.reset();
  EXPECT_EQ(stage.script().cancelled, 1);
  EXPECT_EQ(ground.engine().live(), 0u);
  stage.script().finish(0);
  EXPECT_EQ(ground.engine().calls().live(), 0u);
}

// A run may be dropped by the very call that tells its end.
TEST(GuestRun, MayBeDroppedInItsEnd) {
  Ground ground;
  Stage stage(ground, guest("echo_iface"));
  std::unique_ptr<GuestRun> run;
  bool ended = false;
  run = GuestRun::call(stage.deployment(), stage.function("number"), number(1),
                       [&](RunOutcome outcome, BytesView reply) {
                         run.reset();
                         EXPECT_EQ(reply.size(), 1u);
                         ended = true;
                       });
  EXPECT_TRUE(ground.run_until([&] { return ended; }));
}

// Takes so much and then nothing, until it is told to take more.
struct Sink final : OutputSink {
  std::size_t room(Stream) override { return left; }
  void write(Stream stream, BytesView bytes) override {
    ASSERT_LE(bytes.size(), left);
    left -= bytes.size();
    (stream == Stream::kStdout ? out : error) += as_text(bytes);
  }
  std::size_t left = std::size_t{1} << 20;
  std::string out = {};
  std::string error = {};
};

// A run has words, input, limits and a sink of its own; it waits for the sink, and for nothing
// else does the loop.
TEST(GuestRun, HasItsOwnWordsInputAndOutput) {
  Ground ground;
  Stage stage(ground, guest("hello_command"));
  auto run = [&](Sink& sink, std::vector<std::string> args, std::string input) {
    WasiGrants grants;
    grants.args = std::move(args);
    grants.input = std::move(input);
    std::optional<RunOutcome> ended;
    auto made = GuestRun::command(
        stage.deployment(),
        {.program = stage.deployment().program.with(stage.deployment().limits, grants),
         .output = &sink},
        [&](RunOutcome outcome, BytesView) { ended = std::move(outcome); });
    if (sink.left == 0) {
      int turns = 0;
      EXPECT_FALSE(ended.has_value());
      ground.run_until([&] { return ++turns > 1'000; });
      EXPECT_FALSE(ended.has_value());
      EXPECT_TRUE(sink.out.empty());
      auto before = made->spent();
      ground.run_until([&] { return ++turns > 2'000; });
      EXPECT_EQ(made->spent().cpu_ns, before.cpu_ns);
      sink.left = 1 << 20;
      made->has_room();
    }
    EXPECT_TRUE(ground.run_until([&] { return ended.has_value(); }));
    EXPECT_GT(made->spent().memory_peak_bytes, 65'536u);
    EXPECT_GT(made->spent().memory_byte_ms, 0u);
    return ended->exit_code;
  };
  Sink hello;
  EXPECT_EQ(run(hello, {"name", "a", "b"}, ""), 0);
  EXPECT_EQ(hello.out, "hello from a command\nargument 1: a\nargument 2: b\n");
  Sink waits;
  waits.left = 0;
  std::string input(200'000, 'i');
  EXPECT_EQ(run(waits, {"name", "cat"}, input), 0);
  EXPECT_EQ(waits.out, input);
  Sink fails;
  EXPECT_EQ(run(fails, {"name", "read", "/none"}, ""), 1);
  EXPECT_THAT(fails.error, HasSubstr("/none"));
}

// What memory was held is counted from when it grew.
TEST(GuestRun, CountsTheMemoryOverTime) {
  Ground ground;
  Stage stage(ground, unruly_guest());
  Limits limits = stage.deployment().limits;
  limits.time = std::chrono::milliseconds(0);
  std::optional<RunOutcome> ended;
  auto run = GuestRun::call(
      stage.deployment(), stage.function("spin"), {},
      {.program = stage.deployment().program.with(limits, {}), .time = std::chrono::seconds(1)},
      [&](RunOutcome outcome, BytesView) { ended = std::move(outcome); });
  auto began = Deadline::Clock::now();
  ASSERT_TRUE(ground.run_until([&] { return ended.has_value(); }));
  auto took = std::chrono::duration<double, std::milli>(Deadline::Clock::now() - began).count();
  EXPECT_EQ(ended->ending, Ending::kLimited);
  EXPECT_EQ(run->spent().memory_peak_bytes, 65'536u);
  EXPECT_GE(static_cast<double>(run->spent().memory_byte_ms), 65'536 * 750.0);
  EXPECT_LE(static_cast<double>(run->spent().memory_byte_ms), 65'536 * (took + 1));
  // Of a processor that others want too.
  EXPECT_GT(run->spent().cpu_ns, 50'000'000u);
}

}  // namespace
}  // namespace weft::testing
