// Shows how a recording answers: the same calls in their order, the last one again, what is not in
// it with the nearest that is, and the account of it at the end.

#include "record/replay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "door/testing.h"
#include "record/replay_provider.h"
#include "values/wave.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kSignature = "func(key: string) -> u32";

Recording recorded(const std::string& calls) {
  auto read = Recording::parse(
      "{\"weft-recording\":1}\n"
      "{\"function\":0,\"interface\":\"acme:kv/store@1.0.0\",\"name\":\"get\",\"signature\":\"" +
      std::string(kSignature) + "\",\"by\":\"provider kv\"}\n" + calls);
  EXPECT_TRUE(read) << (read ? "" : read.error().message());
  return *std::move(read);
}

std::string line(const char* key, int result, const char* component = "cart") {
  return fmt::format(
      "{{\"call\":0,\"app\":\"shop\",\"component\":\"{}\",\"args\":\"(\\\"{}\\\")\","
      "\"result\":\"{}\"}}\n",
      component, key, result);
}

class ReplayTest : public ::testing::Test {
 protected:
  void begin(const std::string& calls, const char* version = "1.0.0") {
    replay_.emplace(recorded(calls));
    std::string interface = fmt::format("acme:kv/store@{}", version);
    std::vector<RecordedFunction> functions{
        *RecordedFunction::make(interface, "get", kSignature, "")};
    provider_ = std::make_unique<ReplayProvider>(*replay_, "shop", "cart", std::move(functions));
    link_.emplace(Function{.interface = interface, .name = "get", .signature = kSignature},
                  *provider_);
  }

  // The reply as text, or the failure.
  std::string get(const char* key) {
    Signature signature = *parse_signature(kSignature);
    Bytes arguments = *arguments_from_wave(signature, fmt::format("(\"{}\")", key));
    Call* call = pool_.start(*link_, context_, arguments, Deadline::never());
    std::string text = call->state() == Call::State::kDone
                           ? *value_to_wave(signature.result, call->reply())
                           : call->error().message();
    call->release();
    return text;
  }

  std::optional<Replay> replay_;
  std::unique_ptr<ReplayProvider> provider_;
  std::optional<Link> link_;
  CallPool pool_;
  Context context_{testing::no_loop(), "shop", "cart"};
};

TEST_F(ReplayTest, TheSameCallsAreAnsweredInOrderAndTheLastAgain) {
  begin(line("a", 1) + line("b", 5) + line("a", 2));
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("a"), "2");
  EXPECT_EQ(get("a"), "2");
  Replay::Report report = replay_->report();
  EXPECT_EQ(report.answered, 3U);
  EXPECT_EQ(report.used, 2U);
  EXPECT_EQ(report.missing, 0U);
  EXPECT_THAT(report.unused, ElementsAre("shop/cart: acme:kv/store@1.0.0#get(\"b\")"));
}

TEST_F(ReplayTest, AnotherVersionOfTheInterfaceIsAnsweredToo) {
  begin(line("a", 1), "1.2.0");
  EXPECT_EQ(get("a"), "1");
}

TEST_F(ReplayTest, AFailureIsReplayed) {
  begin(
      "{\"call\":0,\"app\":\"shop\",\"component\":\"cart\",\"args\":\"(\\\"a\\\")\","
      "\"error\":\"timeout\",\"message\":\"too late\"}\n");
  EXPECT_EQ(get("a"), "too late");
}

TEST_F(ReplayTest, ACallThatIsMissingNamesTheNearest) {
  begin(line("apples", 1) + line("pears", 2) + line("appels", 3, "blog"));
  EXPECT_EQ(get("apple"),
            "the recording has no such call: shop/cart: acme:kv/store@1.0.0#get(\"apple\")\n"
            "  nearest that is recorded: acme:kv/store@1.0.0#get(\"apples\")");
  get("apple");
  Replay::Report report = replay_->report();
  EXPECT_EQ(report.missing, 2U);
  EXPECT_THAT(report.wanted, SizeIs(1));
  // What another component called is nobody's here: it was never asked for.
  EXPECT_THAT(report.unused, SizeIs(2));
}

TEST_F(ReplayTest, OnlySoManyMissingCallsAreKept) {
  begin("");
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(get(fmt::format("{}", i).c_str()),
                HasSubstr("nothing is recorded of this function"));
  }
  Replay::Report report = replay_->report();
  EXPECT_EQ(report.missing, 100U);
  EXPECT_THAT(report.wanted, SizeIs(kMissingShown));
  EXPECT_THAT(report.unused, IsEmpty());
}

TEST_F(ReplayTest, WhatWasNotRecordedWholeDoesNotAnswer) {
  begin(
      "{\"call\":0,\"app\":\"shop\",\"component\":\"cart\",\"args\":\"(\\\"a\\\")\","
      "\"result-bytes\":1000000}\n");
  EXPECT_THAT(get("a"), HasSubstr("none of the recorded calls of this function can be replayed"));
}

}  // namespace
}  // namespace weft
