// A component's imports are served by the exports of another one on the same loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/buffer.h"
#include "door/values.h"
#include "engine/component_provider.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using Ending = RunOutcome::Ending;
using ::testing::HasSubstr;

template <class... T>
Bytes encoded(const T&... values) {
  Buffer bytes;
  Writer out(bytes);
  (out.write(values), ...);
  EXPECT_TRUE(out.end());
  return {bytes.view().begin(), bytes.view().end()};
}

// The echo guest twice: the caller's imports are the callee's exports, and what the callee imports
// its script gives.
struct Pair {
  explicit Pair(const StageOptions& of_callee = {}, const char* name = "echo_iface")
      : callee(ground, guest(name), of_callee), caller(ground, guest(name)) {
    std::vector<ComponentProvider::Export> exports;
    const auto& functions = caller.info().functions;
    std::vector<std::uint32_t> imported;
    for (std::uint32_t i = 0; i < functions.size(); ++i) {
      auto exported = [&](const ExportedFunction& each) { return each.name == functions[i].name; };
      if (functions[i].wasi || std::ranges::none_of(callee.info().exports, exported)) continue;
      imported.push_back(i);
      exports.push_back(
          must(ComponentProvider::find(callee.info(), callee.function(functions[i].name))));
    }
    Links& links = caller.deployment().links;
    Provider& provider =
        links.keep(std::make_unique<ComponentProvider>(callee.deployment(), std::move(exports)));
    for (std::uint32_t ordinal = 0; ordinal < imported.size(); ++ordinal) {
      const ImportedFunction& each = functions[imported[ordinal]];
      links.set(imported[ordinal], std::make_unique<Link>(Function{.interface = each.interface,
                                                                   .name = each.name,
                                                                   .signature = each.signature,
                                                                   .ordinal = ordinal,
                                                                   .plain = each.plain},
                                                          provider));
    }
  }

  void echoes(std::string_view name, const Bytes& value) {
    Stage::Ended ended = caller.call(name, value);
    EXPECT_TRUE(ended.outcome.well()) << name << ": " << ended.outcome.message;
    EXPECT_EQ(ended.reply, value) << name;
  }

  Ground ground;
  Stage callee;
  Stage caller;
};

TEST(Linked, CarriesValuesThroughTwoGuests) {
  Pair pair;
  pair.echoes("nothing", {});
  pair.echoes("number", encoded(std::uint32_t{70'000}));
  pair.echoes("text", encoded(std::string("na\xc3\xafve")));
  pair.echoes("bytes", encoded(Bytes(700'000, 0x5a)));
  pair.echoes("words", encoded(std::vector<std::string>{"a", "", "bc"}));
  pair.echoes("maybe", {0});
  pair.echoes("pair", encoded(std::uint8_t{9}, std::string("nine")));
  EXPECT_EQ(pair.callee.script().begun, 7);
  EXPECT_EQ(pair.caller.script().begun, 0);
  EXPECT_EQ(pair.callee.deployment().contexts, 0u) << "instances go with their callers";
}

// A callee that waits lets its caller wait, and the loop go on.
TEST(Linked, WaitsForACalleeThatWaits) {
  for (auto way : {Script::Way::kLater, Script::Way::kThread}) {
    Pair pair;
    pair.callee.script().way = [way](const Call&) { return way; };
    std::optional<RunOutcome> ended;
    Bytes value = encoded(std::string("later"));
    Bytes reply;
    auto run = GuestRun::call(pair.caller.deployment(), pair.caller.function("text"), value,
                              [&](RunOutcome outcome, BytesView bytes) {
                                ended = std::move(outcome);
                                reply.assign(bytes.begin(), bytes.end());
                              });
    if (way == Script::Way::kLater) {
      ASSERT_TRUE(pair.ground.run_until([&] { return !pair.callee.script().waiting.empty(); }));
      EXPECT_FALSE(ended);
      pair.callee.script().finish(0);
    }
    ASSERT_TRUE(pair.ground.run_until([&] { return ended.has_value(); }));
    EXPECT_TRUE(ended->well()) << ended->message;
    EXPECT_EQ(reply, value);
  }
}

// Async functions on both sides, answered at once and later: neither runs inside the other.
TEST(Linked, JoinsTwoAsyncGuests) {
  Pair pair({}, "echo_async");
  pair.echoes("double", encoded(std::uint32_t{21}));
  pair.callee.script().way = [](const Call&) { return Script::Way::kThread; };
  pair.echoes("double", encoded(std::uint32_t{22}));
  EXPECT_EQ(pair.callee.script().begun, 2);
  EXPECT_EQ(pair.callee.deployment().contexts, 0u) << "instances go with their callers";
}

// A caller that goes while its callee waits takes the callee along, and what that waits for.
TEST(Linked, GoesWithItsCaller) {
  Pair pair;
  pair.callee.script().way = [](const Call&) { return Script::Way::kLater; };
  auto run = GuestRun::call(pair.caller.deployment(), pair.caller.function("text"),
                            encoded(std::string("x")), [](RunOutcome, BytesView) {});
  ASSERT_TRUE(pair.ground.run_until([&] { return !pair.callee.script().waiting.empty(); }));
  EXPECT_EQ(pair.callee.deployment().contexts, 1u);
  run.reset();
  pair.callee.script().waiting.clear();
  ASSERT_TRUE(pair.ground.run_until([&] { return pair.callee.deployment().contexts == 0; }));
  EXPECT_EQ(pair.callee.script().cancelled, 1);
}

// A callee that fails is an error of the call, which says whose it was; the next has a new one.
TEST(Linked, OutlivesACalleeThatTraps) {
  Pair pair;
  pair.callee.script().way = [](const Call&) { return Script::Way::kFail; };
  Stage::Ended ended = pair.caller.call("text", encoded(std::string("x")));
  EXPECT_FALSE(ended.outcome.well());
  EXPECT_THAT(ended.outcome.message, HasSubstr("component guest"));
  pair.callee.script().way = [](const Call&) { return Script::Way::kInline; };
  pair.echoes("text", encoded(std::string("y")));
}

// The callee's own time limit ends a call of it, though the caller has none.
TEST(Linked, KeepsTheCalleesTime) {
  Pair pair({.limits = {.time = std::chrono::milliseconds(50)}});
  pair.callee.script().way = [](const Call&) { return Script::Way::kLater; };
  Stage::Ended ended = pair.caller.call("text", encoded(std::string("x")));
  EXPECT_FALSE(ended.outcome.well());
  EXPECT_THAT(ended.outcome.message, HasSubstr("did not answer in time"));
}

// As many instances as the callee may have, and no more.
TEST(Linked, BoundsTheCalleesInstances) {
  Pair pair({.limits = {.instances_max = 1}});
  pair.callee.script().way = [](const Call&) { return Script::Way::kLater; };
  auto first = GuestRun::call(pair.caller.deployment(), pair.caller.function("text"),
                              encoded(std::string("x")), [](RunOutcome, BytesView) {});
  ASSERT_TRUE(pair.ground.run_until([&] { return !pair.callee.script().waiting.empty(); }));
  Stage::Ended ended = pair.caller.call("text", encoded(std::string("y")));
  EXPECT_THAT(ended.outcome.message, HasSubstr("as many instances"));
}

}  // namespace
}  // namespace weft::testing
