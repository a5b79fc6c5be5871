// Shows runs on a node from their admission to their receipt: what they put out and used, each way
// to end, and that none of them holds up another or the loop.
#include "node/runs/runs.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/test_folder.h"
#include "door/values.h"
#include "engine/test_guests.h"
#include "engine/testing.h"
#include "node/object/proven_output.h"
#include "node/runs/command_line.h"
#include "node/runs/compile_apart.h"
#include "node/runs/resources.h"
#include "node/runs/runs_testing.h"

namespace weft::node::runs {
namespace {

using ::testing::HasSubstr;
using weft::testing::file_with;
using weft::testing::guest;
using weft::testing::must;

// A WASI 0.1 program that writes 4,096 bytes again and again.
constexpr std::string_view kTalker = R"((module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (memory.fill (i32.const 1024) (i32.const 46) (i32.const 4096))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 4096))
    (loop $on
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $on))))
)";

// Its function writes 4,096 bytes, and then none, without asking for room.
constexpr std::string_view kOnce = R"((component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $io
    (alias outer 1 $error (type $e'))
    (export "error" (type $e (eq $e')))
    (type $se' (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se')))
    (export "output-stream" (type $out (sub resource)))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $io "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o'))
    (export "output-stream" (type $o (eq $o')))
    (export "get-stdout" (func (result (own $o))))))
  (core module $room (memory (export "memory") 1))
  (core instance $room (instantiate $room))
  (alias core export $room "memory" (core memory $memory))
  (core func $write (canon lower (func $io "[method]output-stream.write") (memory $memory)))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "" "get" (func $get (result i32)))
    (func (export "says") (local $out i32)
      (memory.fill (i32.const 1024) (i32.const 46) (i32.const 4096))
      (call $write (local.tee $out (call $get)) (i32.const 1024) (i32.const 4096) (i32.const 0))
      (call $write (local.get $out) (i32.const 1024) (i32.const 0) (i32.const 0))))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $memory))
    (export "write" (func $write))
    (export "get" (func $get))))))
  (func (export "says") (canon lift (core func $main "says"))))
)";

// Asks so often how many processors there are: 1000 times the case, and the payload.
constexpr std::string_view kAsker = R"((component
  (import "weft:node/resources@0.1.0" (instance $node
    (type $e (enum "denied" "limit"))
    (export "error" (type $error (eq $e)))
    (export "processors" (func (result (result u32 (error $error)))))))
  (core module $room (memory (export "memory") 1))
  (core instance $room (instantiate $room))
  (core func $ask (canon lower (func $node "processors") (memory (core memory $room "memory"))))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "ask" (func $ask (param i32)))
    (func (export "ask") (param $times i32) (result i32)
      (loop $next
        (i32.store (i32.const 4) (i32.const 0))
        (call $ask (i32.const 0))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $next (i32.gt_s (local.get $times) (i32.const 0))))
      (i32.add (i32.mul (i32.load8_u (i32.const 0)) (i32.const 1000)) (i32.load (i32.const 4)))))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $room "memory")) (export "ask" (func $ask))))))
  (func (export "ask") (param "times" u32) (result u32) (canon lift (core func $main "ask"))))
)";

std::string talker() {
  return file_with("talker.wat", kTalker);
}
std::string asker() {
  return file_with("asker.wat", kAsker);
}

TEST_F(RunsTest, AProgramHasItsWordsAndItsInput) {
  std::string file = guest("hello_command");
  Told& hello = run(program(file, {.words = {"one", "two words"}}));
  EXPECT_EQ(hello.out, "hello from a command\nargument 1: one\nargument 2: two words\n");
  EXPECT_EQ(hello.end->outcome, Outcome::kDone);
  EXPECT_GT(hello.end->usage.compile_ns, 0U);
  EXPECT_GT(hello.end->usage.cpu_ns, 0U);
  EXPECT_GE(hello.end->usage.memory_peak_bytes, 65'536U);
  EXPECT_EQ(hello.end->usage.bytes_out, hello.out.size());
  std::string much(300'000, 'm');
  Told& cat = run(program(file, {.words = {"cat"}, .input = to_bytes(much)}));
  EXPECT_EQ(cat.out, much);
  EXPECT_EQ(cat.end->usage.compile_ns, 0U);
  Told& left = run(program(file, {.words = {"exit", "7"}}));
  EXPECT_EQ(left.end->outcome, Outcome::kDone);
  EXPECT_EQ(left.end->exit_code, 1);  // WASI 0.2 has no more to say.
  // Nothing else of WASI is granted.
  Told& file_read = run(program(file, {.words = {"read", "/etc/passwd"}}));
  EXPECT_EQ(file_read.end->exit_code, 1);
  EXPECT_THAT(file_read.error, HasSubstr("/etc/passwd"));
}

TEST_F(RunsTest, AFunctionIsCalledByItsNameAndType) {
  Told& sum = run(call(values(), "add", encoded(std::uint32_t{40}, std::uint32_t{2})));
  EXPECT_EQ(sum.result, encoded(std::uint32_t{42}));
  Told& full = run(call(values(), "test:values/shapes@1.0.0#divide",
                        encoded(std::uint32_t{7}, std::uint32_t{2})));
  EXPECT_EQ(full.result, Bytes({0, 3}));
  Told& any =
      run(call(values(), "test:values/shapes#divide", encoded(std::uint32_t{7}, std::uint32_t{2})));
  EXPECT_EQ(any.result, Bytes({0, 3}));
}

TEST_F(RunsTest, WhatCannotBeginSaysWhy) {
  auto refused = [&](RunOrder order) {
    Told& told = run(std::move(order));
    EXPECT_TRUE(told.began && !*told.began);
    EXPECT_FALSE(told.end->message.empty());
    return *told.began ? Errc::kInternal : told.began->error().code();
  };
  EXPECT_EQ(refused(call(values(), "sub")), Errc::kNotFound);
  EXPECT_EQ(refused(call(values(), "add")), Errc::kInvalid);
  EXPECT_EQ(refused(call(values(), "add", encoded(true))), Errc::kInvalid);
  EXPECT_EQ(refused(call(values(), "add", encoded(1U, 2U, 3U))), Errc::kInvalid);
  EXPECT_EQ(refused(call(values(), "test:values/shapes#paint", {0})), Errc::kUnsupported);
  EXPECT_EQ(refused(program(values())), Errc::kUnsupported);
  EXPECT_EQ(refused(call(guest("echo_iface"), "count", encoded(1U, 2U))), Errc::kUnsupported);
  EXPECT_EQ(refused(program(file_with("bad.wasm", "no module"))), Errc::kUnsupported);
  RunOrder words = program(guest("hello_command"));
  words.arguments = {1, 2, 3};
  EXPECT_EQ(refused(std::move(words)), Errc::kInvalid);
  Told& gone = run(program("/no/such/module"));
  EXPECT_EQ(gone.end->outcome, Outcome::kFailed);
}

TEST_F(RunsTest, EachLimitEndsItsRunAndNoOther) {
  other_call();
  RunOrder spin = call(unruly(), "spin");
  spin.limits.cpu = std::chrono::seconds(2);
  Hash name = spin.name;
  Told& spins = begin(std::move(spin));
  ASSERT_TRUE(ground_.run_until([&] { return spins.began.has_value(); }));
  EXPECT_LT(other_call(), std::chrono::milliseconds(1'500));
  EXPECT_FALSE(spins.end.has_value());
  EXPECT_GT(runs_->usage(name).memory_byte_ms, 0U);
  finish(name, spins);
  EXPECT_EQ(spins.end->outcome, Outcome::kLimited);
  EXPECT_GE(spins.end->usage.cpu_ns, 1'900'000'000U);
  EXPECT_LT(spins.end->usage.cpu_ns, 2'600'000'000U);

  RunOrder late = call(unruly(), "spin");
  late.limits.time = std::chrono::milliseconds(100);
  Told& timed = run(std::move(late));
  EXPECT_EQ(timed.end->outcome, Outcome::kLimited);
  EXPECT_THAT(timed.end->message, HasSubstr("100 ms"));
  // A page was held for about that long.
  EXPECT_GE(timed.end->usage.memory_byte_ms, 65'536U * 50);
  EXPECT_LE(timed.end->usage.memory_byte_ms, 65'536U * 1'000);

  RunOrder grow = call(unruly(), "grow", encoded(std::uint32_t{100}));
  grow.limits.memory_bytes = std::uint64_t{50} << 16;
  Told& grown = run(std::move(grow));
  EXPECT_EQ(grown.result, encoded(false)) << grown.end->message;
  EXPECT_EQ(grown.end->usage.memory_peak_bytes, 65'536U);
  Told& fits = run(call(unruly(), "grow", encoded(std::uint32_t{100})));
  EXPECT_EQ(fits.result, encoded(true));
  EXPECT_EQ(fits.end->usage.memory_peak_bytes, 101U << 16);

  RunOrder small = program(guest("hello_command"));
  small.limits.memory_bytes = 1000;
  EXPECT_NE(run(std::move(small)).end->outcome, Outcome::kDone);

  Told& trap = run(call(unruly(), "trap"));
  EXPECT_EQ(trap.end->outcome, Outcome::kTrapped);
  EXPECT_THAT(trap.end->message, HasSubstr("divide by zero"));
  EXPECT_EQ(run(call(unruly(), "deep")).end->outcome, Outcome::kTrapped);
  other_call();
}

TEST_F(RunsTest, OutputIsBounded) {
  RunOrder talks = program(talker());
  talks.limits.output_bytes = 1'000'000;
  Told& told = run(std::move(talks));
  EXPECT_EQ(told.end->outcome, Outcome::kLimited);
  EXPECT_EQ(told.out, std::string(1'000'000, '.'));
  EXPECT_EQ(told.end->usage.bytes_out, 1'000'000U);
  // Nothing that is written behind what was too much makes it well.
  RunOrder once = call(file_with("once.wat", kOnce), "says");
  once.limits.output_bytes = 100;
  Told& cut = run(std::move(once));
  EXPECT_EQ(cut.end->outcome, Outcome::kLimited);
  EXPECT_EQ(cut.out, std::string(100, '.'));
  RunOrder result = call(values(), "add", encoded(std::uint32_t{1}, std::uint32_t{2}));
  result.limits.output_bytes = 0;
  Told& none = run(std::move(result));
  EXPECT_EQ(none.end->outcome, Outcome::kLimited);
  EXPECT_TRUE(none.result.empty());
}

TEST_F(RunsTest, WhoeverWritesWaitsForReadersAndIsCancelledInTheEnd) {
  again({.unread_max = std::chrono::milliseconds(1'500)});
  other_call();
  RunOrder talks = program(talker());
  Hash name = talks.name;
  Told& told = begin(std::move(talks));
  ASSERT_TRUE(ground_.run_until([&] { return runs_->usage(name).bytes_out > 400'000; }));
  other_call();
  EXPECT_FALSE(told.end.has_value());
  EXPECT_LE(runs_->usage(name).bytes_out, kOutputKeptMax);
  {
    // While somebody reads, however slowly, it lives.
    auto reader = must(runs_->read(name, 0, [] {}));
    auto later = Deadline::after(std::chrono::milliseconds(2'500));
    ground_.run_until([&] { return later.passed(); });
    EXPECT_FALSE(told.end.has_value());
    auto before = runs_->usage(name).bytes_out;
    ground_.run_until([&] {
      reader->next();
      return runs_->usage(name).bytes_out > before + 2'000'000;
    });
    auto spent = runs_->usage(name).cpu_ns;
    later = Deadline::after(std::chrono::milliseconds(100));
    ground_.run_until([&] { return later.passed(); });
    EXPECT_LT(runs_->usage(name).cpu_ns - spent, 20'000'000U);  // It waits, and turns no wheel.
  }
  ASSERT_TRUE(ground_.run_until([&] { return told.end.has_value(); }));
  EXPECT_EQ(told.end->outcome, Outcome::kCancelled);
}

TEST_F(RunsTest, IsResumedAndCancelledByName) {
  RunOrder talks = program(talker());
  talks.reply = node_.public_key();
  Hash name = talks.name;
  Told& told = begin(std::move(talks));
  EXPECT_EQ(runs_->find(name)->reply, node_.public_key());
  ProvenOutput proof(name, node_.public_key());
  std::size_t bytes = 0;
  auto take = [&](OutputStream, BytesView part) { bytes += part.size(); };
  for (int round = 0; round < 5; ++round) {
    auto reader = must(runs_->read(name, proof.proven(), [] {}));
    std::size_t goal = bytes + 200'000;
    ASSERT_TRUE(ground_.run_until([&] {
      if (auto record = reader->next()) must(proof.take(*record, take));
      return bytes > goal;
    }));
    proof.broken();
  }
  must(runs_->cancel(name, "enough"));
  ASSERT_TRUE(told.end.has_value());
  EXPECT_EQ(told.end->outcome, Outcome::kCancelled);
  EXPECT_EQ(told.end->message, "enough");
  must(runs_->cancel(name, "again"));
  auto reader = must(runs_->read(name, proof.proven(), [] {}));
  while (auto record = reader->next()) must(proof.take(*record, take));
  ASSERT_TRUE(proof.receipt());
  EXPECT_EQ(bytes, told.end->usage.bytes_out);
  EXPECT_EQ(runs_->cancel(Hash(), "").error().code(), Errc::kNotFound);
}

TEST_F(RunsTest, TheTableIsBoundedAndForgets) {
  again({.runs_max = 2, .finished_max = 3, .finished_kept = std::chrono::seconds(2)});
  RunOrder one = call(unruly(), "spin");
  RunOrder same = one;
  begin(std::move(one));
  EXPECT_EQ(runs_->begin(std::move(same)).error().code(), Errc::kConflict);
  begin(call(unruly(), "spin"));
  EXPECT_EQ(runs_->begin(call(unruly(), "spin")).error().code(), Errc::kLimit);
  EXPECT_EQ(runs_->running().size(), 2U);
  runs_->cancel_all("stop");
  ASSERT_TRUE(ground_.run_until([&] { return runs_->live() == 0; }));
  std::vector<Hash> names;
  for (int i = 0; i < 5; ++i) {
    RunOrder order = call(values(), "add", encoded(1U, 2U));
    names.push_back(order.name);
    run(std::move(order));
  }
  EXPECT_EQ(runs_->find(names[0]), nullptr);
  EXPECT_NE(runs_->find(names[4]), nullptr);
  EXPECT_TRUE(ground_.run_until([&] { return runs_->find(names[4]) == nullptr; }));
}

TEST_F(RunsTest, WhatEndedStaysUntilItsReceiptIsThere) {
  again({.finished_max = 2, .finished_kept = std::chrono::milliseconds(100)});
  disk_stands_ = true;
  std::vector<Hash> names;
  for (int i = 0; i < 4; ++i) {
    RunOrder order = call(values(), "add", encoded(1U, 2U));
    names.push_back(order.name);
    Told& told = begin(std::move(order));
    ASSERT_TRUE(ground_.run_until([&] { return told.end.has_value(); }));
  }
  auto later = Deadline::after(std::chrono::milliseconds(300));
  ground_.run_until([&] { return later.passed(); });
  auto reader = must(runs_->read(names[0], 0, [] {}));
  for (auto& [name, receipt] : unwritten_) must(runs_->close(name, receipt));
  ProvenOutput proof(names[0], node_.public_key());
  while (auto record = reader->next()) must(proof.take(*record, [](OutputStream, BytesView) {}));
  EXPECT_TRUE(proof.receipt());
  disk_stands_ = false;
  EXPECT_TRUE(ground_.run_until([&] { return runs_->find(names[0]) == nullptr; }));
}

TEST_F(RunsTest, QuestionsAboutTheNodeAreGrantedAndPriced) {
  auto ask = [&](std::uint32_t times, NodeFacts* facts, std::chrono::milliseconds cpu) -> Told& {
    RunOrder order = call(asker(), "ask", encoded(times));
    order.facts = facts;
    order.limits.cpu = cpu;
    return run(std::move(order));
  };
  Told& once = ask(1, &facts_, std::chrono::seconds(1));
  EXPECT_EQ(once.result, encoded(std::uint32_t{7})) << once.end->message;
  Told& often = ask(1'000, &facts_, std::chrono::seconds(1));
  EXPECT_EQ(often.result, encoded(std::uint32_t{7}));
  EXPECT_GE(often.end->usage.cpu_ns, 1'000 * kQuestionPrice.count());
  EXPECT_EQ(ask(1, nullptr, std::chrono::seconds(1)).result, encoded(std::uint32_t{1'000}));
  Told& broke = ask(3'000, &facts_, std::chrono::milliseconds(20));
  EXPECT_LE(broke.end->usage.cpu_ns, 60'000'000U);
  EXPECT_TRUE(broke.end->outcome == Outcome::kLimited ||
              broke.result == encoded(std::uint32_t{1'001}));
  MachineFacts machine;
  EXPECT_GT(machine.memory_total(), machine.memory_free());
  EXPECT_GT(machine.memory_free(), 0U);
  EXPECT_GT(machine.processors(), 0U);
}

TEST_F(RunsTest, AModuleIsCompiledOnceAndWhoWasFirstPays) {
  std::string file = guest("hello_command");
  RunOrder first = program(file);
  RunOrder second = program(file);
  Hash names[2] = {first.name, second.name};
  Told& one = begin(std::move(first));
  Told& two = begin(std::move(second));
  finish(names[0], one);
  finish(names[1], two);
  EXPECT_GT(one.end->usage.compile_ns, 0U);
  EXPECT_EQ(two.end->usage.compile_ns, 0U);
  EXPECT_EQ(plans_.kept(), 1U);
}

// Who gives up meanwhile pays all the same, and holds its place until then.
TEST_F(RunsTest, CompilingIsPaidForByWhoCancels) {
  RunOrder order = program(guest("hello_command"));
  Hash name = order.name;
  Told& told = begin(std::move(order));
  must(runs_->cancel(name, "never mind"));
  EXPECT_FALSE(told.end.has_value());
  EXPECT_EQ(runs_->live(), 1U);
  ASSERT_TRUE(ground_.run_until([&] { return told.end.has_value(); }));
  EXPECT_EQ(told.end->outcome, Outcome::kCancelled);
  EXPECT_GT(told.end->usage.compile_ns, 0U);
  EXPECT_EQ(told.began->error().code(), Errc::kCancelled);
}

TEST_F(RunsTest, OneGroupsCompilingLeavesRoomForOthers) {
  std::vector<Hash> names;
  std::vector<Told*> theirs;
  for (int i = 0; i < 5; ++i) {
    std::string text = fmt::format("{};; {}", weft::testing::kUnrulyGuest, i);
    RunOrder order = call(file_with(fmt::format("{}.wat", i), text), "trap");
    order.group = "them";
    names.push_back(order.name);
    theirs.push_back(&begin(std::move(order)));
  }
  // Of those that wait, one that is given up is forgotten at once.
  must(runs_->cancel(names[4], "never mind"));
  ASSERT_TRUE(ground_.run_until([&] { return theirs[4]->end.has_value(); }));
  EXPECT_EQ(theirs[4]->end->usage.compile_ns, 0U);
  EXPECT_FALSE(theirs[3]->end.has_value());
  other_call();
  for (int i = 0; i < 4; ++i) finish(names[i], *theirs[i]);
}

class Strict : public RunsTest {
 protected:
  Strict()
      : RunsTest({.code_bytes_max = 4'000'000,
                  .memory_bytes_max = std::uint64_t{64} << 20,
                  .compile_max = std::chrono::nanoseconds(1)}) {}
};

TEST_F(Strict, WhatIsLargeOrSlowToCompileIsNotTried) {
  Told& first = run(call(unruly(), "trap"));
  EXPECT_EQ(first.end->outcome, Outcome::kLimited);
  EXPECT_GT(first.end->usage.compile_ns, 0U);
  Told& second = run(call(unruly(), "trap"));
  EXPECT_EQ(second.end->outcome, Outcome::kLimited);
  EXPECT_EQ(second.end->usage.compile_ns, 0U);
  Told& large = run(program(file_with("large.wat", std::string(4'000'001, ' '))));
  EXPECT_EQ(large.end->outcome, Outcome::kLimited);
  EXPECT_THAT(large.end->message, HasSubstr("4000001"));
}

// Loops over many locals take long to compile: this is less than 200 kB of code, and more than a
// minute.
std::string bomb() {
  constexpr int kLocals = 2'000;
  std::string locals;
  for (int i = 0; i < kLocals; ++i) locals += " i32";
  std::string body;
  for (int i = 0; i < 3'000; ++i) {
    body += "(loop ";
    for (int k = 0; k < 5; ++k) {
      body += fmt::format("(local.set {} (i32.add (local.get {}) (i32.const 1)))",
                          (i * 31 + k) % kLocals, (i * 17 + k * 3) % kLocals);
    }
    body += fmt::format("(br_if 0 (local.get {})))", i % kLocals);
  }
  return file_with("bomb.wat", fmt::format(R"((component
    (core module $m (func (export "f") (local{}) {}))
    (core instance $m (instantiate $m))
    (func (export "f") (canon lift (core func $m "f")))))",
                                           locals, body));
}

// With its modules compiled by a process that may take a second for each.
class Apart : public RunsTest {
 protected:
  static const std::string& cache() {
    static TestFolder folder;
    static std::string path = folder.path() / "compiled";
    return path;
  }
  static Runtime& caching() {
    static auto made = must(Runtime::create({.instances_max = 64,
                                             .memory_slot_bytes = std::uint64_t{64} << 20,
                                             .cache_folder = cache(),
                                             .compiling = RuntimeOptions::Compiling::kAlone}));
    return *made;
  }
  static ModulePlans::Options options() {
    ModulePlans::Options made = plan_options();
    made.apart = [](const std::string& file) {
      return compile_apart({WEFT_COMPILE_MODULE, file, cache()}, std::chrono::seconds(1));
    };
    return made;
  }
  Apart() : RunsTest(options(), caching()) {}
};

TEST_F(Apart, ABombCostsItsBoundAndHoldsUpNobody) {
  other_call();
  RunOrder order = call(bomb(), "f");
  order.group = "them";
  Hash name = order.name;
  Told& told = begin(std::move(order));
  Told& hello = run(program(guest("hello_command")));
  EXPECT_THAT(hello.out, HasSubstr("hello"));
  EXPECT_GT(hello.end->usage.compile_ns, 0U);
  EXPECT_LT(hello.end->usage.compile_ns, 1'000'000'000U);
  other_call();
  finish(name, told);
  EXPECT_EQ(told.end->outcome, Outcome::kLimited) << told.end->message;
  // Its bound is in seconds that begin anywhere.
  EXPECT_GE(told.end->usage.compile_ns, 100'000'000U);
  EXPECT_LE(told.end->usage.compile_ns, 2'500'000'000U);
  // It is known by now.
  Told& again = run(call(bomb(), "f"));
  EXPECT_EQ(again.end->outcome, Outcome::kLimited);
  EXPECT_EQ(again.end->usage.compile_ns, 0U);
  // What is no module says why.
  Told& bad = run(program(file_with("bad2.wasm", "no module")));
  EXPECT_EQ(bad.end->outcome, Outcome::kUnfit);
  EXPECT_THAT(bad.end->message, HasSubstr("not WebAssembly"));
}

// What compiles in another process is stopped at its bounds, paid for, and heard where it fails.
TEST(CompileApart, IsBoundedAndTold) {
  auto shell = [](std::string script, std::chrono::seconds cpu) {
    return compile_apart({"/bin/sh", "-c", std::move(script)}, cpu, std::uint64_t{64} << 20);
  };
  EXPECT_TRUE(shell("exit 0", std::chrono::seconds(5)).how);
  Compiled bad = shell("echo it is no module >&2; exit 1", std::chrono::seconds(5));
  EXPECT_EQ(bad.how.error().message(), "it is no module");
  EXPECT_EQ(bad.how.error().code(), Errc::kUnsupported);
  Compiled spins = shell("while :; do :; done", std::chrono::seconds(1));
  EXPECT_EQ(spins.how.error().code(), Errc::kLimit);
  EXPECT_GE(spins.cost, std::chrono::milliseconds(500));
  EXPECT_FALSE(shell("x=x; while :; do x=$x$x; done", std::chrono::seconds(20)).how);
  EXPECT_FALSE(compile_apart({"/no/such/program"}, std::chrono::seconds(1)).how);
}

}  // namespace
}  // namespace weft::node::runs
