// Shows streams and futures through the door and through exports, in both directions and with items
// of each kind: whole, held to the pipe's bound, ended early by either side, cut off by a trap, by
// the end of a guest and by the drop of its run; and what cannot cross refused when it is linked.
//
// WEFT_STREAM_MIB (4) is how much the test of speed streams.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/stream_guests.h"
#include "engine/test_streams.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Ending = RunOutcome::Ending;

Bytes number(std::uint32_t value) {
  Buffer buffer;
  Writer(buffer).write(value);
  return {buffer.view().begin(), buffer.view().end()};
}

template <class T>
std::string guest_file() {
  if constexpr (std::same_as<T, std::uint8_t>) return file_with("u8.wat", stream_guest("u8", 1));
  if constexpr (std::same_as<T, std::uint32_t>) return file_with("u32.wat", stream_guest("u32", 4));
  return file_with("unit.wat", stream_guest("", 0));
}

// A deployed guest with its host, and one run of it.
template <class T>
struct Theatre {
  explicit Theatre(const Limits& limits = {})
      : stage(ground, guest_file<T>(), {.limits = limits, .grants = {}}), host(ground.loop()) {
    stage.script().serve = [this](Call& call, Completion& done) { return host.serve(call, done); };
  }
  ~Theatre() {
    run.reset();
    host.forget();
  }

  void start(std::string_view name, std::uint32_t count) {
    ended.reset();
    run = GuestRun::call(stage.deployment(), stage.function(name), number(count),
                         [this](RunOutcome outcome, BytesView reply) {
                           ended = {std::move(outcome), Bytes(reply.begin(), reply.end())};
                         });
  }
  void start(std::string_view name, GuestRun::Exchange exchange) {
    ended.reset();
    run = GuestRun::call_with(
        stage.deployment(), stage.function(name), std::move(exchange),
        [this](RunOutcome outcome, BytesView) { ended = {std::move(outcome), {}}; });
  }
  // Runs to the end, with the host at work.
  RunOutcome finish() {
    EXPECT_TRUE(ground.run_until([&] {
      host.step();
      return ended.has_value();
    }));
    if (!ended) return {Ending::kFailed, 1, "it did not end"};
    return ended->outcome;
  }
  // Runs until nothing moves any more, without the host.
  void rest() {
    for (int turns = 0; turns < 200; ++turns) ground.run_until([] { return true; });
  }

  Ground ground;
  Stage stage;
  StreamHost<T> host;
  std::optional<Stage::Ended> ended;
  std::unique_ptr<GuestRun> run;
};

template <class T>
class Streams : public ::testing::Test {};
using Items = ::testing::Types<std::uint8_t, std::uint32_t, Nothing>;
TYPED_TEST_SUITE(Streams, Items);

TYPED_TEST(Streams, GuestsSendThroughImports) {
  Theatre<TypeParam> theatre;
  for (const char* name : {"send", "send-later"}) {
    theatre.host.forget();
    theatre.start(name, 100'000);
    RunOutcome outcome = theatre.finish();
    ASSERT_TRUE(outcome.well()) << name << ": " << outcome.message;
    EXPECT_EQ(theatre.ended->reply, number(100'000)) << name;
    ASSERT_EQ(theatre.host.ins.size(), 1u);
    auto& in = theatre.host.ins[0];
    EXPECT_EQ(in.got, 100'000u) << name;
    EXPECT_TRUE(in.right) << name;
    EXPECT_TRUE(in.ended) << name;
  }
}

TYPED_TEST(Streams, GuestsReceiveThroughImports) {
  Theatre<TypeParam> theatre;
  for (const char* name : {"receive", "receive-later"}) {
    theatre.start(name, 100'000);
    RunOutcome outcome = theatre.finish();
    ASSERT_TRUE(outcome.well()) << name << ": " << outcome.message;
    EXPECT_EQ(theatre.ended->reply, number(100'000)) << name;
  }
  theatre.start("receive", 0);
  EXPECT_TRUE(theatre.finish().well());
  EXPECT_EQ(theatre.ended->reply, number(0)) << "an empty stream ends at once";
}

// The run goes on after its reply until the stream that it gave is done.
TYPED_TEST(Streams, ExportsGiveStreams) {
  Theatre<TypeParam> theatre;
  bool replied = false;
  theatre.start("produce", {.arguments = [](Writer& out) { out.write(std::uint32_t{100'000}); },
                            .replied =
                                [&](Reader& in) {
                                  theatre.host.take(in.pipe_reader(StreamHost<TypeParam>::kKind));
                                  EXPECT_TRUE(in.end());
                                  replied = true;
                                }});
  ASSERT_TRUE(theatre.ground.run_until([&] { return replied; }));
  theatre.rest();
  EXPECT_FALSE(theatre.ended) << "its stream is not done";
  RunOutcome outcome = theatre.finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  theatre.host.step();
  EXPECT_EQ(theatre.host.ins[0].got, 100'000u);
  EXPECT_TRUE(theatre.host.ins[0].right);
  EXPECT_TRUE(theatre.host.ins[0].ended);
}

TYPED_TEST(Streams, ExportsTakeStreams) {
  Theatre<TypeParam> theatre;
  std::uint32_t count = 0;
  theatre.start("consume",
                {.arguments = [&](Writer& out) { out.pipe(theatre.host.give(100'000)); },
                 .replied = [&](Reader& in) { count = in.template read<std::uint32_t>(); }});
  RunOutcome outcome = theatre.finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  EXPECT_EQ(count, 100'000u);
}

// What the host gave and gets back has two pipes and no guest in between.
TYPED_TEST(Streams, ComeBackThroughAGuest) {
  Theatre<TypeParam> theatre;
  theatre.start("echo", {.arguments = [&](Writer& out) { out.pipe(theatre.host.give(100'000)); },
                         .replied =
                             [&](Reader& in) {
                               theatre.host.take(in.pipe_reader(StreamHost<TypeParam>::kKind));
                             }});
  RunOutcome outcome = theatre.finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  theatre.host.step();
  EXPECT_EQ(theatre.host.ins[0].got, 100'000u);
  EXPECT_TRUE(theatre.host.ins[0].right);
}

// A guest that outruns its reader is held to the bound of the pipe, and goes on when it is read.
TYPED_TEST(Streams, GuestsAreHeldToTheBound) {
  Theatre<TypeParam> theatre;
  theatre.start("send", 1'000'000);
  ASSERT_TRUE(theatre.ground.run_until([&] { return !theatre.host.ins.empty(); }));
  theatre.rest();
  EXPECT_FALSE(theatre.ended);
  auto& in = theatre.host.ins[0];
  std::size_t held = 0;
  while (in.reader.state() == PipeState::kData) {
    held += StreamHost<TypeParam>::kKind == PipeKind::kBytes ? in.reader.view().size() : 1;
    in.reader.take(in.reader.view().size());
  }
  EXPECT_GT(held, 0u);
  EXPECT_LE(held, Pipe::kBytesMax);
  in.got = held;
  EXPECT_TRUE(theatre.finish().well());
  EXPECT_EQ(in.got, 1'000'000u);
}

TYPED_TEST(Streams, EitherSideMayStop) {
  Theatre<TypeParam> theatre;
  theatre.start("send", 1'000'000);
  ASSERT_TRUE(theatre.ground.run_until([&] { return !theatre.host.ins.empty(); }));
  theatre.host.ins.clear();
  RunOutcome outcome = theatre.finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  EXPECT_LE(theatre.ended->reply.size(), 3u) << "it stopped far before the end";

  theatre.start("stop", 10'000'000);
  outcome = theatre.finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  ASSERT_EQ(theatre.host.outs.size(), 1u);
  EXPECT_TRUE(theatre.host.outs[0].writer.abandoned());
  EXPECT_LT(theatre.host.outs[0].sent, 1'000'000u);
}

// Half is never taken for the whole: a trap, an end without closing, and a dropped run are told.
TYPED_TEST(Streams, WhatIsCutOffFails) {
  Theatre<TypeParam> theatre;
  theatre.start("cut", 10);
  RunOutcome outcome = theatre.finish();
  EXPECT_EQ(outcome.ending, Ending::kTrapped) << outcome.message;
  theatre.host.step();
  EXPECT_EQ(theatre.host.ins[0].got, 10u) << "what was written arrives all the same";
  ASSERT_TRUE(theatre.host.ins[0].failed);
  EXPECT_THAT(theatre.host.ins[0].failed->message(), HasSubstr("the guest ended"));

  theatre.host.forget();
  theatre.start("leave", 10);
  EXPECT_TRUE(theatre.finish().well());
  theatre.host.step();
  EXPECT_TRUE(theatre.host.ins[0].failed);

  theatre.host.forget();
  theatre.start("send", 1'000'000);
  ASSERT_TRUE(theatre.ground.run_until([&] { return !theatre.host.ins.empty(); }));
  theatre.rest();
  theatre.run.reset();
  theatre.host.step();
  EXPECT_TRUE(theatre.host.ins[0].failed);

  theatre.host.forget();
  theatre.start("receive", 1'000'000);
  ASSERT_TRUE(theatre.ground.run_until([&] { return !theatre.host.outs.empty(); }));
  theatre.run.reset();
  EXPECT_TRUE(theatre.host.outs[0].writer.abandoned());
}

// A host that gives up in the middle ends the guest that reads, with its reason.
TYPED_TEST(Streams, AFailedHostEndsItsReader) {
  Theatre<TypeParam> theatre;
  theatre.start("receive", 1'000'000);
  ASSERT_TRUE(theatre.ground.run_until([&] { return !theatre.host.outs.empty(); }));
  theatre.host.step();
  theatre.host.outs[0].writer.fail(Error(Errc::kIo, "the disk is gone"));
  theatre.host.outs.clear();
  RunOutcome outcome = theatre.finish();
  EXPECT_FALSE(outcome.well());
  EXPECT_THAT(outcome.message, HasSubstr("the disk is gone"));
}

TEST(Futures, CrossBothWays) {
  Theatre<std::uint8_t> theatre;
  theatre.start("await", 0);
  EXPECT_TRUE(theatre.finish().well());
  EXPECT_EQ(theatre.ended->reply, number(7));
  theatre.start("settle", 12);
  EXPECT_TRUE(theatre.finish().well());
  EXPECT_EQ(theatre.ended->reply, number(0)) << "it was taken";
  PipeReader& heard = theatre.host.heard.end();
  ASSERT_EQ(heard.state(), PipeState::kData);
  EXPECT_EQ(Bytes(heard.view().begin(), heard.view().end()), number(12));
}

TEST(Futures, FailOrGoUnheard) {
  Theatre<std::uint8_t> theatre;
  theatre.host.settle.reset();
  theatre.start("await", 0);
  ASSERT_TRUE(
      theatre.ground.run_until([&] { return static_cast<bool>(theatre.host.promised.end()); }));
  theatre.rest();
  EXPECT_FALSE(theatre.ended);
  theatre.host.promised.fail(Error(Errc::kIo, "nobody knows"));
  EXPECT_THAT(theatre.finish().message, HasSubstr("nobody knows"));

  theatre.start("settle", 12);
  theatre.stage.script().serve = [](Call& call, Completion& done) {
    Reader in(call.arguments(), &call.context().resources());
    in.pipe_reader(PipeKind::kOne);
    std::move(done).finish();
    return true;
  };
  EXPECT_TRUE(theatre.finish().well()) << "nobody listens, and that is no failure";
}

// A provider that does not look at its arguments leaves no stream behind: the guest hears at once.
TEST(Refusals, StreamsNobodyTookAreClosed) {
  Theatre<std::uint8_t> theatre;
  theatre.stage.script().serve = [](Call&, Completion& done) {
    std::move(done).finish();
    return true;
  };
  theatre.start("send", 1'000'000);
  RunOutcome outcome = theatre.finish();
  EXPECT_TRUE(outcome.well()) << outcome.message;
  EXPECT_EQ(theatre.ended->reply, number(0));
}

// A reply that names a stream which is not there, or is another's, ends that guest alone.
TEST(Refusals, WrongNumbersFailTheCall) {
  Theatre<std::uint8_t> theatre;
  theatre.stage.script().serve = [](Call&, Completion& done) {
    Writer(done.reply()).write(std::uint32_t{99});
    std::move(done).finish();
    return true;
  };
  theatre.start("receive", 5);
  EXPECT_THAT(theatre.finish().message, HasSubstr("no stream or future of number 99"));
  theatre.stage.script().serve = [&](Call& call, Completion& done) {
    Writer(done.reply(), &call.context().resources())
        .pipe(Pipe::make(theatre.ground.loop(), PipeKind::kItems).reader);
    std::move(done).finish();
    return true;
  };
  theatre.start("receive", 5);
  EXPECT_THAT(theatre.finish().message, HasSubstr("another kind"));
}

std::string link_problem(std::string_view name, std::string_view text) {
  Ground ground;
  std::unique_ptr<Program> program = must(ground.engine().runtime().load(file_with(name, text), 0));
  std::vector<bool> serve;
  for (const ImportedFunction& each : program->info().functions) serve.push_back(!each.wasi);
  auto linked = program->link(serve, "guest", {}, {});
  return linked ? "" : linked.error().message();
}

TEST(Refusals, ItemsWithHandlesAreRefusedAtLink) {
  EXPECT_THAT(link_problem("nested.wat", R"((component
                (type $s (stream u8))
                (type $ss (stream $s))
                (import "test:x/y" (instance (export "f" (func (param "all" $ss)))))))"),
              AllOf(HasSubstr("test:x/y#f: func(all: stream<stream<u8>>)"),
                    HasSubstr("handles in its items")));
}

TEST(Refusals, WasisOtherResourcesAreRefusedAtLink) {
  EXPECT_THAT(link_problem("pollable.wat", R"((component
                (import "wasi:io/poll@0.2.0"
                  (instance $poll (export "pollable" (type (sub resource)))))
                (alias export $poll "pollable" (type $pollable))
                (import "test:x/y" (instance (alias outer 1 $pollable (type $p))
                  (export "f" (func (param "p" (own $p))))))))"),
              AllOf(HasSubstr("test:x/y#f: func(p: own<pollable>)"),
                    HasSubstr("it passes own<pollable> of wasi:io/poll@0.2.0")));
}

// Whoever called has a number for it; the resource stays where it is.
TEST(Resources, OfAGuestsOwnCrossAsNumbers) {
  Ground ground;
  Stage stage(ground, file_with("own.wat", R"((component
    (type $r' (resource (rep i32)))
    (core func $new (canon resource.new $r'))
    (core module $m (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (export $r "thing" (type $r'))
    (func $make (result (own $r')) (canon lift (core func $i "make")))
    (export "make" (func $make) (func (result (own $r)))))
  )"));
  Stage::Ended ended = stage.call("make", {});
  EXPECT_TRUE(ended.outcome.well()) << ended.outcome.message;
  EXPECT_EQ(ended.reply, (Bytes{0x80, 0x80, 0x80, 0x80, 0}));
}

TEST(Speed, OfStreamsOfBytes) {
  const char* text = std::getenv("WEFT_STREAM_MIB");
  std::uint32_t mib = text == nullptr ? 4 : static_cast<std::uint32_t>(std::atoi(text));
  Theatre<std::uint8_t> theatre({.time = std::chrono::minutes(5)});
  // Without the checks of what comes, which take longer than the way.
  auto reader_only = [&] {
    for (auto& in : theatre.host.ins) {
      std::size_t there = in.reader.view().size();
      in.got += there;
      in.reader.take(there);
    }
  };
  Bytes pattern(Pipe::kBytesMax + 256);
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<std::uint8_t>(i);
  auto writer_only = [&] {
    for (auto& out : theatre.host.outs) {
      if (out.left == 0) continue;
      std::size_t count = std::min(out.left, Pipe::kBytesMax);
      count = out.writer.write(BytesView(pattern).subspan(out.sent % 256, count));
      out.left -= count;
      out.sent += count;
      if (out.left == 0) out.writer.finish();
    }
  };
  for (const char* name : {"send", "receive"}) {
    auto begin = std::chrono::steady_clock::now();
    theatre.start(name, mib << 20);
    ASSERT_TRUE(theatre.ground.run_until([&] {
      reader_only();
      writer_only();
      return theatre.ended.has_value();
    }));
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_TRUE(theatre.ended->outcome.well()) << theatre.ended->outcome.message;
    EXPECT_EQ(theatre.ended->reply, number(mib << 20));
    fmt::print("{} {} MiB: {:.0f} MB/s\n", name, mib, (mib << 20) / took.count() / 1e6);
  }
}

}  // namespace
}  // namespace weft::testing
