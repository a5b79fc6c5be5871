// Shows wasi:io's streams of WASI 0.2 through the door, as a blobstore's bodies are: a guest writes
// to and reads from what the host gives it, and hands streams over that the host then reads or
// writes. On an engine without concurrency.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/stream_guests.h"
#include "engine/test_streams.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Bodies : public ::testing::Test {
 protected:
  Bodies() : stage_(ground_, file_with("bodies.wat", kBodyGuest)), host_(ground_.loop()) {
    stage_.script().serve = [this](Call& call, Completion& done) {
      return host_.serve(call, done);
    };
    // What the guest waits for while its streams are at work.
    stage_.script().way = [](const Call&) { return Script::Way::kLater; };
  }
  ~Bodies() override {
    run_.reset();
    host_.forget();
  }

  void start(std::string_view name, std::uint32_t count) {
    ended_.reset();
    Buffer arguments;
    Writer(arguments).write(count);
    run_ = GuestRun::call(stage_.deployment(), stage_.function(name), arguments.view(),
                          [this](RunOutcome outcome, BytesView reply) {
                            Reader in(reply);
                            answer_ = in.read<std::uint32_t>();
                            ended_ = std::move(outcome);
                          });
  }
  RunOutcome finish() {
    EXPECT_TRUE(ground_.run_until([&] {
      host_.step();
      return ended_.has_value();
    }));
    return ended_.value_or(RunOutcome{RunOutcome::Ending::kFailed, 1, "it did not end"});
  }
  void rest() {
    for (int turns = 0; turns < 200; ++turns) ground_.run_until([] { return true; });
  }

  Ground ground_;
  Stage stage_;
  StreamHost<std::uint8_t> host_;
  std::optional<RunOutcome> ended_;
  std::uint32_t answer_ = 0;
  std::unique_ptr<GuestRun> run_;
};

TEST_F(Bodies, GuestsWriteToWhatTheHostGives) {
  start("write", 300'000);
  RunOutcome outcome = finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  EXPECT_EQ(answer_, 300'000u);
  host_.step();
  EXPECT_EQ(host_.ins[0].got, 300'000u);
  EXPECT_TRUE(host_.ins[0].right);
  EXPECT_TRUE(host_.ins[0].ended) << "the guest dropped it";
}

TEST_F(Bodies, GuestsReadWhatTheHostGives) {
  start("read", 300'000);
  RunOutcome outcome = finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  EXPECT_EQ(answer_, 300'000u);
}

TEST_F(Bodies, WritersAreHeldToTheBound) {
  start("check", 0);
  ASSERT_TRUE(finish().well());
  EXPECT_EQ(answer_, 64u << 10);
  host_.forget();
  start("write", 1'000'000);
  ASSERT_TRUE(ground_.run_until([&] { return !host_.ins.empty(); }));
  rest();
  EXPECT_FALSE(ended_);
  EXPECT_EQ(host_.ins[0].reader.view().size(), Pipe::kBytesMax);
  EXPECT_TRUE(finish().well());
  EXPECT_EQ(host_.ins[0].got, 1'000'000u);
}

TEST_F(Bodies, EitherSideMayStop) {
  start("write", 1'000'000);
  ASSERT_TRUE(ground_.run_until([&] { return !host_.ins.empty(); }));
  host_.ins.clear();
  RunOutcome outcome = finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  EXPECT_LT(answer_, 1'000'000u) << "the stream is closed";

  start("read", 1'000'000);
  ASSERT_TRUE(ground_.run_until([&] { return !host_.outs.empty(); }));
  host_.step();
  host_.outs[0].writer.fail(Error(Errc::kIo, "the disk is gone"));
  host_.outs.clear();
  outcome = finish();
  ASSERT_TRUE(outcome.well()) << outcome.message;
  EXPECT_NE(answer_ & 0x80000000U, 0u) << "the last operation failed";
}

// A run that is dropped leaves its body failed, not whole.
TEST_F(Bodies, WhatIsCutOffFails) {
  start("write", 1'000'000);
  ASSERT_TRUE(ground_.run_until([&] { return !host_.ins.empty(); }));
  rest();
  run_.reset();
  host_.step();
  ASSERT_TRUE(host_.ins[0].failed);
  EXPECT_THAT(host_.ins[0].failed->message(), HasSubstr("the guest ended"));
}

// Streams that a guest hands over are pumped by a task of its instance's own.
TEST_F(Bodies, GuestsHandStreamsOver) {
  start("pass-in", 300'000);
  ASSERT_TRUE(ground_.run_until([&] {
    host_.step();
    return host_.ins.size() == 1 && host_.ins[0].over();
  }));
  EXPECT_EQ(host_.ins[0].got, 300'000u);
  EXPECT_TRUE(host_.ins[0].right);
  EXPECT_TRUE(host_.ins[0].ended);
  stage_.script().finish(0);
  EXPECT_TRUE(finish().well());

  host_.forget();
  start("pass-out", 0);
  ASSERT_TRUE(ground_.run_until([&] {
    host_.step();
    return host_.ins.size() == 1 && host_.ins[0].over();
  }));
  EXPECT_EQ(host_.ins[0].got, 300'000u);
  EXPECT_TRUE(host_.ins[0].ended);
  stage_.script().finish(0);
  EXPECT_TRUE(finish().well());
  EXPECT_EQ(ground_.engine().live(), 1u) << "the run alone is left";
}

// A guest that ends in the middle ends its pumps, and both sides of them hear of it.
TEST_F(Bodies, PumpsEndWithTheirGuest) {
  start("pass-in", 1'000'000);
  ASSERT_TRUE(
      ground_.run_until([&] { return host_.ins.size() == 1 && !stage_.script().waiting.empty(); }));
  rest();
  host_.outs[0].left = 1;
  run_.reset();
  EXPECT_TRUE(host_.outs[0].writer.abandoned());
  while (host_.ins[0].reader.state() == PipeState::kData) {
    host_.ins[0].reader.take(host_.ins[0].reader.view().size());
  }
  EXPECT_EQ(host_.ins[0].reader.state(), PipeState::kFailed);
  EXPECT_EQ(ground_.engine().live(), 0u);
}

TEST_F(Bodies, AStreamWithAPollableStays) {
  start("with-pollable", 0);
  RunOutcome outcome = finish();
  EXPECT_FALSE(outcome.well());
  EXPECT_THAT(outcome.message, AllOf(HasSubstr("pollable"), HasSubstr("drop that first")));
}

}  // namespace
}  // namespace weft::testing
