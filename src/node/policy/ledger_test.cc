// Shows that no order of charges spends more than a quota, in total and for each group, that one
// group at its limit takes nothing from another, what a restart and a clock do to what is spent,
// and that what is written always reads back, however many groups came and went.
#include "node/policy/ledger.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "capabilities/test_folder.h"

namespace weft::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr UnixMs kNow = 1'700'000'000'000;  // A multiple of 10 s.
// The period of whom nothing is written.
constexpr std::chrono::milliseconds kHour = kPeriodDefault;

NodeSettings settings_of(const Quota& total,
                         std::initializer_list<std::pair<const char*, Quota>> groups) {
  NodeSettings settings;
  settings.total = total;
  for (const auto& [name, quota] : groups) settings.group[name].quota = quota;
  return settings;
}

Amounts amounts(std::initializer_list<std::pair<QuotaKind, std::uint64_t>> all) {
  Amounts amounts;
  for (auto [kind, value] : all) amounts[kind] = value;
  return amounts;
}

void spend(Ledger& ledger, std::string_view group, std::uint64_t cpu_ns, UnixMs now) {
  auto charge = ledger.take(group, {}, now);
  ASSERT_TRUE(charge);
  charge->settle(amounts({{QuotaKind::kCpu, cpu_ns}}));
}

class LedgerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Ledger> open(const NodeSettings& settings, UnixMs now = kNow) const {
    auto ledger = Ledger::open(folder_.path() / "ledger", settings, now);
    EXPECT_TRUE(ledger) << ledger.error().message();
    return *std::move(ledger);
  }
  std::string file() const {
    std::ifstream file(folder_.path() / "ledger");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TestFolder folder_;
};

TEST_F(LedgerTest, WhatWasNotSpentGoesBack) {
  auto ledger =
      open(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 100, .memory_bytes = 50, .runs = 2}}}));
  auto most = amounts({{QuotaKind::kCpu, 80}, {QuotaKind::kMemory, 30}, {QuotaKind::kRuns, 1}});
  auto charge = ledger->take("a", most, kNow);
  ASSERT_TRUE(charge);
  EXPECT_EQ(ledger->left("a", kNow)[QuotaKind::kCpu], 20u);
  auto second = ledger->take("a", most, kNow);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, "cpu");
  EXPECT_EQ(second.error().group, "a");
  EXPECT_EQ(second.error().again, 10s);
  EXPECT_THAT(
      second.error().message(),
      HasSubstr("the quota of processor time of group a is spent, and there again in 10 s"));
  charge->settle(amounts({{QuotaKind::kCpu, 10}}));
  EXPECT_EQ(ledger->spent("a", kNow), amounts({{QuotaKind::kCpu, 10}}));
  EXPECT_EQ(ledger->spent("", kNow), amounts({{QuotaKind::kCpu, 10}}));
  // What fits never is told so.
  auto never = ledger->take("a", amounts({{QuotaKind::kMemory, 51}}), kNow);
  ASSERT_FALSE(never);
  EXPECT_TRUE(never.error().never);
}

TEST_F(LedgerTest, AChargeThatIsDroppedIsSpent) {
  auto ledger = open(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 100}}}));
  {
    auto charge = ledger->take("a", amounts({{QuotaKind::kCpu, 60}, {QuotaKind::kRuns, 1}}), kNow);
    ASSERT_TRUE(charge);
  }
  EXPECT_EQ(ledger->spent("a", kNow), amounts({{QuotaKind::kCpu, 60}}));
}

TEST_F(LedgerTest, AChargeGrowsAllOrNothing) {
  auto ledger =
      open(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 100, .network_out_bytes = 10}}}));
  auto charge = ledger->take("a", amounts({{QuotaKind::kCpu, 50}}), kNow);
  ASSERT_TRUE(charge);
  EXPECT_FALSE(charge->more(amounts({{QuotaKind::kCpu, 10}, {QuotaKind::kNetworkOut, 11}}), kNow));
  EXPECT_EQ(ledger->spent("a", kNow)[QuotaKind::kCpu], 50u);
  EXPECT_TRUE(charge->more(amounts({{QuotaKind::kCpu, 10}, {QuotaKind::kNetworkOut, 10}}), kNow));
  EXPECT_EQ(charge->taken()[QuotaKind::kCpu], 60u);
  charge->settle(amounts({{QuotaKind::kCpu, 55}, {QuotaKind::kNetworkOut, 1}}));
  EXPECT_EQ(ledger->spent("a", kNow),
            amounts({{QuotaKind::kCpu, 55}, {QuotaKind::kNetworkOut, 1}}));
}

TEST_F(LedgerTest, APeriodGivesAgainAndTakesNothingBackFromTheNext) {
  auto ledger = open(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 100, .storage_bytes = 100}}}));
  auto charge =
      ledger->take("a", amounts({{QuotaKind::kCpu, 100}, {QuotaKind::kStorage, 60}}), kNow + 9'000);
  ASSERT_TRUE(charge);
  EXPECT_EQ(ledger->left("a", kNow + 10'000)[QuotaKind::kCpu], 100u);
  auto next = ledger->take("a", amounts({{QuotaKind::kCpu, 70}}), kNow + 10'000);
  ASSERT_TRUE(next);
  charge->settle({});
  // What came back of the period before is not of this one; storage is held, whatever the time is.
  EXPECT_EQ(ledger->spent("a", kNow + 10'000), amounts({{QuotaKind::kCpu, 70}}));
}

TEST_F(LedgerTest, AClockThatGoesBackGivesNothing) {
  auto ledger = open(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 100}}}));
  ledger->take("a", amounts({{QuotaKind::kCpu, 100}}), kNow)
      ->settle(amounts({{QuotaKind::kCpu, 100}}));
  for (UnixMs back : {1'000, 300'000, 3'600'000}) {
    EXPECT_FALSE(ledger->take("a", amounts({{QuotaKind::kCpu, 1}}), kNow - back));
  }
  // Nor does it have anybody wait longer than a period of the time that is now.
  EXPECT_TRUE(ledger->take("a", amounts({{QuotaKind::kCpu, 1}}), kNow - 3'600'000 + 10'000));
}

TEST_F(LedgerTest, StorageStaysUntilItIsFreed) {
  auto settings = settings_of({}, {{"a", {.per = 10s, .storage_bytes = 100}}});
  {
    // Of another process: what is stored is said anew by who has it.
    auto before = open(settings);
    before->take("a", {}, kNow)->settle(amounts({{QuotaKind::kStorage, 30}}));
    ASSERT_TRUE(before->save());
  }
  auto ledger = open(settings);
  EXPECT_EQ(ledger->spent("a", kNow)[QuotaKind::kStorage], 0u);
  ledger->take("a", {}, kNow)->settle(amounts({{QuotaKind::kStorage, 70}}));
  EXPECT_EQ(ledger->spent("a", kNow + 60'000)[QuotaKind::kStorage], 70u);
  EXPECT_FALSE(ledger->take("a", amounts({{QuotaKind::kStorage, 31}}), kNow));
  ledger->free_storage("a", 70);
  EXPECT_EQ(ledger->spent("", kNow)[QuotaKind::kStorage], 0u);
  ledger->free_storage("a", 70);
  EXPECT_EQ(ledger->spent("a", kNow)[QuotaKind::kStorage], 0u);
}

TEST_F(LedgerTest, WhatIsSpentOutlivesTheProcess) {
  auto settings =
      settings_of({.per = 10s, .cpu_ns = 1'000}, {{"a", {.per = 10s, .cpu_ns = 100}}, {"b", {}}});
  {
    auto ledger = open(settings);
    auto charge =
        ledger->take("a", amounts({{QuotaKind::kCpu, 40}, {QuotaKind::kMemory, 5}}), kNow);
    ledger->take("b", amounts({{QuotaKind::kCpu, 7}}), kNow)
        ->settle(amounts({{QuotaKind::kCpu, 7}}));
    // As a kill -9 has it: the charge was not settled when it was saved.
    ASSERT_TRUE(ledger->save());
  }
  {
    auto ledger = open(settings);
    EXPECT_EQ(ledger->spent("a", kNow), amounts({{QuotaKind::kCpu, 40}}));
    EXPECT_EQ(ledger->spent("b", kNow), amounts({{QuotaKind::kCpu, 7}}));
    EXPECT_EQ(ledger->spent("", kNow), amounts({{QuotaKind::kCpu, 47}}));
    // The period is the one that it was.
    EXPECT_EQ(ledger->spent("a", kNow + 10'000), Amounts());
  }
  std::ofstream(folder_.path() / "ledger") << "weft ledger 1\ntotal 12";
  auto broken = Ledger::open(folder_.path() / "ledger", settings);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), Errc::kCorrupt);
  EXPECT_THAT(broken.error().message(), HasSubstr("remove the file"));
}

TEST_F(LedgerTest, ARateGivesItsBurstAndThenSoManyASecond) {
  auto ledger = open(settings_of({.rate = {1'000, 1'000}}, {{"a", {.rate = {10, 5}}}, {"b", {}}}));
  SteadyNs now = 1h;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ledger->ask("a", now)) << i;
  auto more = ledger->ask("a", now);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().again, 100ms);
  EXPECT_TRUE(ledger->ask("b", now));
  int taken = 0;
  for (int ms = 0; ms < 10'000; ++ms) taken += ledger->ask("a", now + 1ms * ms).has_value();
  EXPECT_NEAR(taken, 100, 1);
}

TEST_F(LedgerTest, OtherQuotasHoldForWhatWasSpentBefore) {
  auto ledger = open(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 100}}}));
  ledger->take("a", amounts({{QuotaKind::kCpu, 60}}), kNow)
      ->settle(amounts({{QuotaKind::kCpu, 60}}));
  ledger->apply(settings_of({}, {{"a", {.per = 10s, .cpu_ns = 50}}}));
  EXPECT_EQ(ledger->left("a", kNow)[QuotaKind::kCpu], 0u);
  EXPECT_FALSE(ledger->take("a", amounts({{QuotaKind::kCpu, 1}}), kNow));
}

// Whoever may change groups gets no quota anew by that, over a restart neither; and what is left of
// one that is no more goes with its own period, not with the usual one.
TEST_F(LedgerTest, AGroupThatGoesAndComesAgainHasSpentWhatItHas) {
  auto none = settings_of({}, {});
  for (std::chrono::milliseconds per : {std::chrono::milliseconds(10s), kHour * 1'000}) {
    SCOPED_TRACE(per.count());
    std::filesystem::remove(folder_.path() / "ledger");
    auto with = settings_of({}, {{"a", {.per = per, .cpu_ns = 100}}});
    UnixMs later = kNow + static_cast<UnixMs>(per.count()) / 5;
    UnixMs over = kNow + static_cast<UnixMs>(per.count());
    auto ledger = open(with);
    spend(*ledger, "a", 100, kNow);
    ledger->apply(none, kNow);
    ledger->apply(none, later);
    ledger->apply(with, later);
    EXPECT_EQ(ledger->left("a", later)[QuotaKind::kCpu], 0u);
    ledger->apply(none, later);
    ASSERT_TRUE(ledger->save());
    for (int i = 0; i < 2; ++i) {
      ledger = open(none, later);
      spend(*ledger, "strangers", 1, later);
      ASSERT_TRUE(ledger->save());
    }
    EXPECT_THAT(file(), HasSubstr("group a "));
    ledger = open(with, later);
    EXPECT_EQ(ledger->left("a", later)[QuotaKind::kCpu], 0u);
    ledger = open(none, later);
    ledger->apply(none, over);
    ASSERT_TRUE(ledger->save());
    EXPECT_THAT(file(), Not(HasSubstr("group a ")));
  }
}

// As a node wrote it that dropped none: more groups than may be, whose periods are long over.
TEST_F(LedgerTest, GroupsThatAreNoMoreGoFromTheFile) {
  {
    std::ofstream old(folder_.path() / "ledger");
    old << fmt::format("weft ledger 1\ntotal {} 1 2 3 4\n", kNow);
    for (std::size_t i = 0; i < 2 * kGroupsMax; ++i) {
      old << fmt::format("group g{} {} 1 2 3 4\n", i, kNow);
    }
    old << "end\n";
  }
  UnixMs later = kNow + static_cast<UnixMs>(kHour.count());
  auto ledger = open(settings_of({}, {{"g7", {.per = kHour * 1'000}}}), later);
  EXPECT_EQ(ledger->spent("g7", later)[QuotaKind::kCpu], 1u);
  ASSERT_TRUE(ledger->save());
  EXPECT_EQ(file(), fmt::format("weft ledger 1\ntotal {0} 1 2 3 4\ngroup g7 {1} 1 2 3 4\nend\n",
                                kNow, kNow - kNow % static_cast<UnixMs>(1'000 * kHour.count())));
}

// More groups have spent something than are written: those that went longest ago are left out.
TEST_F(LedgerTest, WhatIsWrittenReadsBackHoweverManyGroupsThereWere) {
  auto settings = settings_of({}, {{"written", {.per = kHour * 1'000}}});
  UnixMs later = kNow + static_cast<UnixMs>(kHour.count());
  {
    auto ledger = open(settings);
    spend(*ledger, "written", 1, kNow);
    for (int i = 0; i < 50; ++i) spend(*ledger, fmt::format("old-{}", i), 1, kNow);
    // The longest names, and numbers that are as long.
    for (std::size_t i = 1; i < kLedgerGroupsMax; ++i) {
      spend(*ledger, fmt::format("{:0>{}}", i, kGroupNameMax), INT64_MAX, later);
    }
    // What is none's name is not written, as it would not read.
    spend(*ledger, "", 1, later);
    ASSERT_TRUE(ledger->save());
  }
  std::string text = file();
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(kLedgerGroupsMax + 3));
  EXPECT_THAT(text, Not(HasSubstr("group old-")));
  auto ledger = open(settings, later);
  EXPECT_EQ(ledger->spent("written", later)[QuotaKind::kCpu], 1u);
  EXPECT_EQ(ledger->spent(fmt::format("{:0>{}}", 7, kGroupNameMax), later)[QuotaKind::kCpu],
            static_cast<std::uint64_t>(INT64_MAX));
}

TEST_F(LedgerTest, AChargeGivesNothingBackToAGroupThatCameAgain) {
  auto settings = settings_of({}, {});
  auto ledger = open(settings);
  auto charge = ledger->take("a", amounts({{QuotaKind::kCpu, 60}}), kNow);
  ASSERT_TRUE(charge);
  UnixMs later = kNow + static_cast<UnixMs>(kHour.count());
  ledger->apply(settings, later);
  spend(*ledger, "a", 70, later);
  charge->settle({});
  EXPECT_EQ(ledger->spent("a", later), amounts({{QuotaKind::kCpu, 70}}));
}

// The node's own bounds hold where a group has none: what one of them asks for beyond these is
// refused, and what it asks for within leaves the rest.
TEST_F(LedgerTest, GroupsWithoutABoundShareTheNodesDefaults) {
  Problems problems;
  auto settings = NodeSettings::parse("[group.a]\n[group.b]\n", "node.toml", problems);
  ASSERT_TRUE(settings) << problems.text();
  auto ledger = open(*settings);
  constexpr std::uint64_t kUsual = std::uint64_t{16} << 20;
  for (std::size_t i = 0; i < kQuotaKinds; ++i) {
    auto kind = static_cast<QuotaKind>(i);
    EXPECT_LT(ledger->left("a", kNow)[kind], UINT64_MAX) << to_string(kind);
    auto greedy = ledger->take("a", amounts({{kind, UINT64_MAX - kUsual}}), kNow);
    ASSERT_FALSE(greedy) << to_string(kind);
    EXPECT_TRUE(greedy.error().never);
    EXPECT_TRUE(greedy.error().group.empty());
  }
  for (QuotaKind kind : {QuotaKind::kNetworkIn, QuotaKind::kNetworkOut}) {
    auto much = ledger->take("a", amounts({{kind, std::uint64_t{1} << 30}}), kNow);
    EXPECT_TRUE(much);
    EXPECT_TRUE(ledger->take("b", amounts({{kind, kUsual}}), kNow));
  }
}

constexpr std::array kKinds{QuotaKind::kCpu, QuotaKind::kMemory, QuotaKind::kRuns,
                            QuotaKind::kNetworkOut, QuotaKind::kStorage};
constexpr UnixMs kPeriod = 10'000;

// The bounds of one group in the test below.
std::uint64_t bound_of(QuotaKind kind) {
  return kind == QuotaKind::kRuns ? 10 : kind == QuotaKind::kStorage ? 5'000 : 100;
}
Quota quota_of(std::uint64_t times) {
  return {.per = std::chrono::milliseconds(kPeriod),
          .cpu_ns = times * bound_of(QuotaKind::kCpu),
          .network_out_bytes = times * bound_of(QuotaKind::kNetworkOut),
          .memory_bytes = times * bound_of(QuotaKind::kMemory),
          .storage_bytes = times * bound_of(QuotaKind::kStorage),
          .runs = static_cast<std::uint32_t>(times * bound_of(QuotaKind::kRuns))};
}

// Random charges, more, settlements and times, by several groups.
class RandomCharges {
 public:
  RandomCharges(Ledger& ledger, unsigned seed) : ledger_(ledger), random_(seed) {}

  void step() {
    UnixMs before = now_ / kPeriod;
    if (random_() % 100 == 0) now_ += random_() % 4'000;
    if (now_ / kPeriod != before) open_.clear();
    Amounts most;
    for (QuotaKind kind : kKinds) most[kind] = random_() % (kind == QuotaKind::kRuns ? 2 : 40);
    if (open_.empty() || random_() % 3 != 0) {
      auto charge = ledger_.take(kNames[random_() % kNames.size()], most, now_);
      (charge ? taken : refused) += 1;
      if (charge) open_.push_back(*std::move(charge));
    } else if (std::size_t which = random_() % open_.size(); random_() % 2 == 0) {
      (open_[which].more(most, now_) ? taken : refused) += 1;
    } else {
      Amounts used = open_[which].taken();
      for (QuotaKind kind : kKinds) used[kind] -= random_() % (used[kind] + 1);
      open_[which].settle(used);
      std::swap(open_[which], open_.back());
      open_.pop_back();
    }
  }
  void let_go() {
    open_.clear();
    for (const char* name : kNames) {
      ledger_.free_storage(name, ledger_.spent(name, now_)[QuotaKind::kStorage]);
    }
  }
  // What is open is counted, no quota is passed, and the node's is the sum of the groups'.
  void check() {
    Amounts sum;
    for (std::string_view name : kNames) {
      Amounts spent = ledger_.spent(name, now_);
      Amounts open;
      for (const Charge& each : open_) {
        if (each.group() != name) continue;
        for (QuotaKind kind : kKinds) open[kind] += each.taken()[kind];
      }
      for (QuotaKind kind : kKinds) {
        ASSERT_LE(spent[kind], bound_of(kind)) << name << " " << to_string(kind);
        ASSERT_GE(spent[kind], open[kind]) << name << " " << to_string(kind);
        sum[kind] += spent[kind];
      }
      ASSERT_EQ(spent[QuotaKind::kMemory], open[QuotaKind::kMemory]);
      ASSERT_EQ(spent[QuotaKind::kRuns], open[QuotaKind::kRuns]);
    }
    Amounts total = ledger_.spent("", now_);
    for (QuotaKind kind : kKinds) {
      ASSERT_EQ(total[kind], sum[kind]) << to_string(kind);
      ASSERT_LE(total[kind], 2 * bound_of(kind)) << to_string(kind);
    }
  }

  std::size_t taken = 0;
  std::size_t refused = 0;

 private:
  static constexpr std::array<const char*, 3> kNames{"a", "b", "c"};

  Ledger& ledger_;
  std::mt19937 random_;
  std::vector<Charge> open_;
  UnixMs now_ = kNow;
};

// Three groups, and a node that has less than they have together.
TEST_F(LedgerTest, NoOrderOfChargesSpendsMoreThanIsAllowed) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  auto ledger =
      open(settings_of(quota_of(2), {{"a", quota_of(1)}, {"b", quota_of(1)}, {"c", quota_of(1)}}));
  RandomCharges charges(*ledger, seed);
  for (int round = 0; round < 100'000 && !HasFatalFailure(); ++round) {
    charges.step();
    charges.check();
    if (round % 1'000 == 0) charges.let_go();
  }
  EXPECT_GT(charges.taken, 1'000u);
  EXPECT_GT(charges.refused, 1'000u);
}

// One group asks from several threads for all it can; another one has what is its own, each time.
TEST_F(LedgerTest, AGroupAtItsLimitLeavesAnothersUntouched) {
  Quota each{.per = 10s, .cpu_ns = 1'000, .memory_bytes = 1'000, .runs = 10};
  Quota both{.per = 10s, .cpu_ns = 2'000, .memory_bytes = 2'000, .runs = 20};
  auto ledger = open(settings_of(both, {{"hostile", each}, {"honest", each}}));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        static_cast<void>(ledger->take(
            "hostile",
            amounts({{QuotaKind::kCpu, 300}, {QuotaKind::kMemory, 300}, {QuotaKind::kRuns, 3}}),
            kNow));
      }
    });
  }
  auto all = amounts({{QuotaKind::kCpu, 0}, {QuotaKind::kMemory, 1'000}, {QuotaKind::kRuns, 10}});
  int had = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto charge = ledger->take("honest", all, kNow);
    if (!charge) continue;
    ++had;
    charge->settle({});
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(had, 20'000);
  EXPECT_TRUE(ledger->take("honest", amounts({{QuotaKind::kCpu, 1'000}}), kNow));
  EXPECT_LE(ledger->spent("hostile", kNow)[QuotaKind::kCpu], 1'000u);
}

}  // namespace
}  // namespace weft::node
