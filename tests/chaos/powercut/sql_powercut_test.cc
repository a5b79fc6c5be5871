// Shows that no acknowledged statement or transaction of a SQL database is lost or half there: by
// kill -9 in the middle of writing, and by a power cut after any record of what a writing process
// did to its files. Without its flushes the same check finds losses.
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "recording.h"
#include "sql_workload.h"

namespace weft::powercut {
namespace {

using Kind = Record::Kind;

constexpr std::uint64_t kCount = 200;

const Subject kSubject{WEFT_POWERCUT_SQL_WRITER, check_sql_workload};

TEST(SqlPowerCut, at_any_moment_loses_no_acknowledged_write) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, kCount, "flushed");
  auto& records = recording.records();
  ASSERT_EQ(count_of(records, Kind::kMark), kCount);
  // Most of them write; to erase what is not there does not.
  ASSERT_GT(count_of(records, Kind::kFlush), kCount / 2);
  constexpr std::size_t kCuts = 120;
  for (std::size_t i = 0; i < kCuts; ++i) {
    // Every record of the first start, and then by chance.
    std::size_t cut = i < 40 ? i : chance() % (records.size() + 1);
    for (Left left : {Left::kNothing, Left::kSome}) {
      ASSERT_TRUE(recording.survives(cut, left, chance, true))
          << "cut after record " << cut << " of " << records.size() << ", left "
          << static_cast<int>(left) << ", WEFT_SEED=" << seed;
    }
  }
  for (Left left : {Left::kNothing, Left::kSome, Left::kAll}) {
    EXPECT_TRUE(recording.survives(records.size(), left, chance, true)) << "WEFT_SEED=" << seed;
  }
}

TEST(SqlPowerCut, without_its_flushes_it_would_lose_some) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, kCount, "flushed");
  recording.forget_flushes();
  auto& records = recording.records();
  int lost = 0;
  for (int i = 0; i < 20; ++i) {
    std::size_t cut = records.size() - chance() % (records.size() / 2);
    if (!recording.survives(cut, Left::kNothing, chance, false)) ++lost;
  }
  EXPECT_GT(lost, 10) << "of 20 cuts; WEFT_SEED=" << seed;
  EXPECT_TRUE(recording.survives(records.size(), Left::kAll, chance, true));
}

TEST(SqlKill, in_the_middle_of_writing_loses_no_acknowledged_write) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  TestFolder place;
  auto folder = place.path().string() + "/state";
  std::set<std::uint64_t> acknowledged;
  std::uint64_t first = 0;
  for (int round = 0; round < 5; ++round) {
    Child writer =
        start_writer(kSubject.writer,
                     {folder, std::to_string(seed), std::to_string(first), "20000", "flushed"}, {});
    ASSERT_TRUE(kill_after(writer, 5 + chance() % 60, acknowledged))
        << "the writer was done by itself";
    first = *acknowledged.rbegin() + 2;
    auto outcome = check_sql_workload(folder, seed, first,
                                      [&](std::uint64_t i) { return acknowledged.contains(i); });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message() << "; WEFT_SEED=" << seed;
  }
}

}  // namespace
}  // namespace weft::powercut
