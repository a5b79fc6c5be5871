// Shows that each call of a link is asked for before anybody serves it, and that what comes for it
// is its payer's whatever becomes of the call.
#include "node/runs/link_meter.h"

#include <gtest/gtest.h>

#include "app/linked_node.h"
#include "app/plan.h"
#include "door/layers_testing.h"
#include "node/runs/runs_testing.h"

namespace weft::node::runs {
namespace {

using weft::testing::file_with;
using weft::testing::function_named;
using weft::testing::must;
using weft::testing::Notes;

// Calls another node so often, each time with the same number, and adds what it is answered.
constexpr std::string_view kCaller = R"((component
  (import "acme:far/away@1.0.0" (instance $far
    (export "fetch" (func (param "n" u32) (result u32)))))
  (core func $fetch (canon lower (func $far "fetch")))
  (core module $main
    (import "" "fetch" (func $fetch (param i32) (result i32)))
    (func (export "go") (param $times i32) (param $n i32) (result i32)
      (local $sum i32)
      (loop $next
        (local.set $sum (i32.add (local.get $sum) (call $fetch (local.get $n))))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $next (i32.gt_s (local.get $times) (i32.const 0))))
      (local.get $sum)))
  (core instance $main (instantiate $main (with "" (instance (export "fetch" (func $fetch))))))
  (func (export "go") (param "times" u32) (param "n" u32) (result u32)
    (canon lift (core func $main "go"))))
)";

struct Purse final : LinkPayer {
  Result<void> asks() override {
    if (came > most) return failure(Errc::kLimit, "no more");
    ++asked;
    return {};
  }
  Result<void> sends(std::size_t bytes) override {
    sent += bytes;
    return {};
  }
  void unsent(std::size_t bytes) override { sent -= bytes; }
  Result<void> receives(std::size_t bytes) override {
    came += bytes;
    return came > most ? failure(Errc::kLimit, "no more") : Result<void>();
  }

  std::size_t most = 1'000;
  int asked = 0;
  std::size_t sent = 0;
  std::size_t came = 0;
};

// Has its arguments and a hundred bytes paid for, and keeps the call.
struct Far final : weft::testing::Late {
  void begin(Call& call, Completion done) override {
    LinkPayer* payer = payer_of(call.context());
    ASSERT_NE(payer, nullptr);
    EXPECT_TRUE(payer->sends(call.arguments().size()));
    may = payer->receives(100).has_value();
    Late::begin(call, std::move(done));
  }
  bool may = false;
};

// A node that sends so many bytes for each call as its argument says. Even numbers are answered,
// 2 by 2; odd ones fail, and 7 is never answered.
class FarNode final : public LinkedNode {
 public:
  struct Sends final : Provider {
    void begin(Call& call, Completion done) override {
      LinkPayer* payer = payer_of(call.context());
      ASSERT_NE(payer, nullptr);
      Reader reader(call.arguments());
      auto n = reader.read<std::uint32_t>();
      auto may = payer->sends(call.arguments().size());
      if (may) may = payer->receives(n);
      if (!may) return std::move(done).fail(std::move(may).error());
      if (n == 7) {
        held.push_back(std::move(done));
        held.back().on_cancel([](void* self) { static_cast<Sends*>(self)->held.clear(); }, this);
      } else if (n % 2 == 1) {
        std::move(done).fail(Error(Errc::kTrap, "it trapped there"));
      } else {
        Bytes two = encoded(std::uint32_t{2});
        done.reply().append(two);
        std::move(done).finish();
      }
    }
    std::vector<Completion> held;
  };

  Result<NodeOffer> offer(const std::string&, Deadline) override { return away(); }
  Result<std::filesystem::path> fetch(const std::string&, Deadline) override { return away(); }
  Result<NodeLook> look(std::span<const NodeWant>, Deadline) override { return away(); }
  std::unique_ptr<Provider> provider_for(Loop&, NodeImport,
                                         std::shared_ptr<const NodeOffer>) override {
    return std::make_unique<Sends>();
  }

 private:
  static std::unexpected<Error> away() { return failure(Errc::kUnavailable, "it is away"); }
};

class LinkMeterTest : public weft::testing::LayersTest {
 protected:
  LinkMeterTest() { attach_payer(context_, purse_); }

  Purse purse_;
  Far far_;
  std::unique_ptr<Layer> meter_ = link_meter();
  Link link_{function_named("f"), far_, {meter_.get()}};
};

TEST_F(LinkMeterTest, WhatCameCountsWhateverBecomesOfTheCall) {
  Notes notes;
  start(link_, notes, "four");
  far_.finish_one("well");
  EXPECT_EQ(notes.reply, "well");
  EXPECT_EQ(purse_.came, 100U);
  // One that fails.
  start(link_, notes, "four");
  Completion fails = std::move(far_.waiting.front());
  far_.waiting.clear();
  std::move(fails).fail(Error(Errc::kTrap, "it trapped there"));
  EXPECT_EQ(notes.failure, Errc::kTrap);
  EXPECT_EQ(purse_.came, 200U);
  // One that its caller gives up.
  start(link_, "four")->release();
  far_.waiting.clear();
  EXPECT_EQ(purse_.came, 300U);
  EXPECT_EQ(purse_.asked, 3);
  EXPECT_EQ(purse_.sent, 12U);
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(LinkMeterTest, WhoHasHadAllIsRefusedBeforeAnybodyIsAsked) {
  purse_.most = 150;
  Notes notes;
  start(link_, notes);
  EXPECT_TRUE(far_.may);
  start(link_, notes);
  EXPECT_FALSE(far_.may);
  far_.finish_one("");
  far_.finish_one("");
  Call* refused = start(link_);
  ASSERT_EQ(refused->state(), Call::State::kFailed);
  EXPECT_EQ(refused->error().code(), Errc::kLimit);
  refused->release();
  EXPECT_TRUE(far_.waiting.empty());
  EXPECT_EQ(purse_.asked, 2);
}

TEST_F(LinkMeterTest, WhereNobodyPaysNobodyIsTold) {
  Context other(loop_, "shop", "cart");
  EXPECT_EQ(payer_of(other), nullptr);
  EXPECT_EQ(payer_of(context_), &purse_);
}

// What comes for a link's call is the run's, whether it is answered, fails or is given up, and no
// more comes than the run may have.
TEST_F(RunsTest, WhatLinksBringIsPaidWhateverComesOfIt) {
  std::string file = file_with("caller.wat", kCaller);
  auto component = component_of(Hash::of(as_bytes(file)), file, std::uint64_t{64} << 20);
  component.link_meter = link_meter;
  component.links.push_back({.settings = {.interface = {.text = "acme:far/away@1.0.0"},
                                          .to = LinkSettings::To::kNode,
                                          .name = {.text = "far"}},
                             .node = std::make_shared<FarNode>()});
  std::vector<Lack> lacks;
  std::shared_ptr<const Plan> plan =
      Plan::make(runtime(), capabilities_, std::move(component), Plan::Opening::kOpen, lacks);
  for (const Lack& lack : lacks) ADD_FAILURE() << lack.found;
  ASSERT_NE(plan, nullptr);
  auto go = [&](std::uint32_t times, std::uint32_t n) {
    RunOrder order = call(file, "go", encoded(times, n));
    order.service = plan;
    order.bytes_in = 10;
    order.limits.link_bytes = 2'500;
    return order;
  };
  const std::uint64_t argument = encoded(std::uint32_t{1'000}).size();
  const std::uint64_t result = encoded(std::uint32_t{4}).size();
  Told& well = run(go(2, 1'000));
  EXPECT_EQ(well.result, encoded(std::uint32_t{4})) << well.end->message;
  EXPECT_EQ(well.end->usage.bytes_in, 10U + 2 * 1'000);
  EXPECT_EQ(well.end->usage.bytes_out, 2 * argument + result);
  EXPECT_GE(well.end->usage.cpu_ns, 2 * static_cast<std::uint64_t>(kLinkCallPrice.count()));
  Told& failed = run(go(1, 1'001));
  EXPECT_NE(failed.end->outcome, Outcome::kDone);
  EXPECT_EQ(failed.end->usage.bytes_in, 10U + 1'001);
  EXPECT_EQ(failed.end->usage.bytes_out, argument);
  Told& much = run(go(9, 1'000));
  EXPECT_NE(much.end->outcome, Outcome::kDone);
  EXPECT_EQ(much.end->usage.bytes_in, 10U + 3 * 1'000);
  RunOrder waits = go(1, 7);
  Hash name = waits.name;
  Told& dropped = begin(std::move(waits));
  ASSERT_TRUE(ground_.run_until([&] { return runs_->usage(name).bytes_in > 10; }));
  must(runs_->cancel(name, "enough"));
  finish(name, dropped);
  EXPECT_EQ(dropped.end->outcome, Outcome::kCancelled);
  EXPECT_EQ(dropped.end->usage.bytes_in, 10U + 7);
}

}  // namespace
}  // namespace weft::node::runs
