// Shows that no acknowledged write is lost: by kill -9 in the middle of writing, and by a power cut
// after any record of what a writing process did to its files (a shim that is preloaded into it
// records them). A driver that does not flush is caught by the same check.
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "blob_workload.h"
#include "recording.h"
#include "workload.h"

namespace weft::powercut {
namespace {

using Kind = Record::Kind;

const Subject kSubject{WEFT_POWERCUT_WRITER, check_workload};
const Subject kBlobs{WEFT_POWERCUT_WRITER, check_blobs};

TEST(PowerCut, at_any_moment_loses_no_acknowledged_write) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, 400, "flushed");
  auto& records = recording.records();
  ASSERT_EQ(count_of(records, Kind::kMark), 400u);
  ASSERT_GT(count_of(records, Kind::kFlush), 10u);
  constexpr std::size_t kCuts = 250;
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

TEST(PowerCut, a_driver_that_does_not_flush_is_caught) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, 400, "unflushed");
  auto& records = recording.records();
  ASSERT_EQ(count_of(records, Kind::kMark), 400u);
  int lost = 0;
  for (int i = 0; i < 20; ++i) {
    std::size_t cut = records.size() - chance() % (records.size() / 2);
    if (!recording.survives(cut, Left::kNothing, chance, false)) ++lost;
    if (!recording.survives(cut, Left::kSome, chance, false)) ++lost;
  }
  EXPECT_GT(lost, 20) << "of 40 cuts; WEFT_SEED=" << seed;
  // The workload itself is sound: what kill -9 leaves is whole.
  EXPECT_TRUE(recording.survives(records.size(), Left::kAll, chance, true));
}

TEST(Kill, in_the_middle_of_writing_loses_no_acknowledged_write) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  TestFolder place;
  auto folder = place.path().string() + "/state";
  std::set<std::uint64_t> acknowledged;
  std::uint64_t first = 0;
  for (int round = 0; round < 10; ++round) {
    constexpr std::uint64_t kCount = 20'000;
    Child writer = start_writer(
        kSubject.writer,
        {folder, std::to_string(seed), std::to_string(first), std::to_string(kCount), "flushed"},
        {});
    ASSERT_TRUE(kill_after(writer, 20 + chance() % 400, acknowledged))
        << "the writer was done by itself";
    // At most 32 operations were under way beyond the last one acknowledged.
    first = *acknowledged.rbegin() + 33;
    auto outcome = check_workload(folder, seed, first,
                                  [&](std::uint64_t i) { return acknowledged.contains(i); });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message() << "; WEFT_SEED=" << seed;
  }
}

TEST(PowerCut, at_any_moment_leaves_whole_objects) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kBlobs, seed, 150, "blobs");
  auto& records = recording.records();
  ASSERT_EQ(count_of(records, Kind::kMark), 150u);
  ASSERT_GT(count_of(records, Kind::kRename), 100u);
  constexpr std::size_t kCuts = 50;
  for (std::size_t i = 0; i < kCuts; ++i) {
    // Every record of the first start, and then by chance.
    std::size_t cut = i < 25 ? i : chance() % (records.size() + 1);
    for (Left left : {Left::kNothing, Left::kSome, Left::kAll}) {
      ASSERT_TRUE(recording.survives(cut, left, chance, true))
          << "cut after record " << cut << " of " << records.size() << ", left "
          << static_cast<int>(left) << ", WEFT_SEED=" << seed;
    }
  }
}

TEST(PowerCut, an_object_that_was_promised_too_early_is_missed) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kBlobs, seed, 150, "early-blobs");
  auto& records = recording.records();
  int lost = 0;
  for (int i = 0; i < 30; ++i) {
    std::size_t cut = records.size() - chance() % (records.size() / 2);
    if (!recording.survives(cut, Left::kNothing, chance, false)) ++lost;
  }
  EXPECT_GT(lost, 10) << "of 30 cuts; WEFT_SEED=" << seed;
}

TEST(Kill, in_the_middle_of_writing_leaves_whole_objects) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  TestFolder place;
  auto folder = place.path().string() + "/state";
  std::set<std::uint64_t> acknowledged;
  std::uint64_t first = 0;
  for (int round = 0; round < 8; ++round) {
    Child writer =
        start_writer(WEFT_POWERCUT_WRITER,
                     {folder, std::to_string(seed), std::to_string(first), "20000", "blobs"}, {});
    std::uint64_t n = 0;
    std::size_t after = 5 + chance() % 60;
    for (std::size_t i = 0; i < after; ++i) {
      ASSERT_EQ(read(writer.output, &n, sizeof n), static_cast<ssize_t>(sizeof n));
      acknowledged.insert(n);
    }
    kill(writer.process, SIGKILL);
    while (read(writer.output, &n, sizeof n) == sizeof n) acknowledged.insert(n);
    close(writer.output);
    int status = 0;
    ASSERT_EQ(waitpid(writer.process, &status, 0), writer.process);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer was done before it was killed";
    // One operation was under way beyond the last one acknowledged.
    first = *acknowledged.rbegin() + 2;
    auto outcome =
        check_blobs(folder, seed, first, [&](std::uint64_t i) { return acknowledged.contains(i); });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message() << "; WEFT_SEED=" << seed;
  }
}

std::vector<Record> small_journal() {
  return {{Kind::kCreate, 0, "/f/a", ""},       {Kind::kFlushFolder, 1, "/f", ""},
          {Kind::kWrite, 0, "/f/a", "first"},   {Kind::kFlush, 3, "/f/a", ""},
          {Kind::kWrite, 0, "/f/a", "SECOND"},  {Kind::kCreate, 0, "/f/b", ""},
          {Kind::kWrite, 0, "/f/b", "through"}, {Kind::kWritten, 6, "/f/b", ""}};
}

TEST(Journal, a_cut_leaves_what_was_flushed) {
  std::mt19937_64 chance(1);
  auto records = small_journal();
  EXPECT_EQ(files_after_cut(records, Left::kNothing, chance), (Files{{"/f/a", "first"}}));
  EXPECT_EQ(files_after_cut(records, Left::kAll, chance),
            (Files{{"/f/a", "SECOND"}, {"/f/b", "through"}}));
  EXPECT_EQ(files_after_cut(std::span(records).first(3), Left::kNothing, chance),
            (Files{{"/f/a", ""}}));
  EXPECT_EQ(files_after_cut(std::span(records).first(1), Left::kNothing, chance), Files());
  std::set<Files> seen;
  for (int i = 0; i < 100; ++i) seen.insert(files_after_cut(records, Left::kSome, chance));
  EXPECT_EQ(seen, (std::set<Files>{{{"/f/a", "first"}},
                                   {{"/f/a", "SECOND"}},
                                   {{"/f/a", "first"}, {"/f/b", "through"}},
                                   {{"/f/a", "SECOND"}, {"/f/b", "through"}}}));
}

TEST(Journal, a_write_after_the_flush_began_is_not_flushed_by_it) {
  std::mt19937_64 chance(1);
  std::vector<Record> records = {{Kind::kCreate, 0, "/f/a", ""},
                                 {Kind::kFlushFolder, 1, "/f", ""},
                                 {Kind::kWrite, 0, "/f/a", "x"},
                                 {Kind::kFlush, 2, "/f/a", ""}};
  EXPECT_EQ(files_after_cut(records, Left::kNothing, chance), (Files{{"/f/a", ""}}));
}

TEST(Journal, a_rename_holds_once_its_folder_is_flushed) {
  std::mt19937_64 chance(1);
  std::vector<Record> records = {{Kind::kCreate, 0, "/f/new", ""},
                                 {Kind::kWrite, 0, "/f/new", "x"},
                                 {Kind::kFlush, 2, "/f/new", ""},
                                 {Kind::kRename, 0, "/f/new", "/f/a"},
                                 {Kind::kFlushFolder, 4, "/f", ""}};
  EXPECT_EQ(files_after_cut(records, Left::kNothing, chance), (Files{{"/f/a", "x"}}));
  records.pop_back();
  EXPECT_EQ(files_after_cut(records, Left::kNothing, chance), Files());
}

}  // namespace
}  // namespace weft::powercut
