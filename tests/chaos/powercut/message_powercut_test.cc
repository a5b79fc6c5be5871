// Shows that no acknowledged message of the embedded log is lost and those of one key stay in
// order: by kill -9 in the middle of publishing and handling, and by a power cut after any record
// of what the process did to its files. Without its flushes the same check finds losses.
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "message_workload.h"
#include "recording.h"

namespace weft::powercut {
namespace {

using Kind = Record::Kind;

constexpr std::uint64_t kCount = 200;

const Subject kSubject{WEFT_POWERCUT_WRITER, check_messages};

TEST(MessagePowerCut, at_any_moment_loses_no_acknowledged_message) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, kCount, "messages");
  auto& records = recording.records();
  // Each is kept, and handled.
  ASSERT_EQ(count_of(records, Kind::kMark), 2 * kCount);
  constexpr std::size_t kCuts = 80;
  for (std::size_t i = 0; i < kCuts; ++i) {
    // Every record of the first start, and then by chance.
    std::size_t cut = i < 30 ? i : chance() % (records.size() + 1);
    for (Left left : {Left::kNothing, Left::kSome}) {
      ASSERT_TRUE(recording.survives(cut, left, chance, true))
          << "cut after record " << cut << " of " << records.size() << ", left "
          << static_cast<int>(left) << ", WEFT_SEED=" << seed;
    }
  }
}

TEST(MessagePowerCut, without_its_flushes_it_would_lose_some) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, kCount, "messages");
  recording.forget_flushes();
  auto& records = recording.records();
  int lost = 0;
  for (int i = 0; i < 20; ++i) {
    std::size_t cut = records.size() / 4 + chance() % (records.size() / 2);
    if (!recording.survives(cut, Left::kNothing, chance, false)) ++lost;
  }
  EXPECT_GT(lost, 10) << "of 20 cuts; WEFT_SEED=" << seed;
}

TEST(MessageKill, in_the_middle_loses_no_acknowledged_message) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  TestFolder place;
  auto folder = place.path().string() + "/state";
  std::set<std::uint64_t> marks;
  std::uint64_t first = 0;
  for (int round = 0; round < 8; ++round) {
    Child writer = start_writer(
        kSubject.writer, {folder, std::to_string(seed), std::to_string(first), "20000", "messages"},
        {});
    std::uint64_t n = 0;
    std::size_t after = 20 + chance() % 400;
    for (std::size_t i = 0; i < after; ++i) {
      ASSERT_EQ(read(writer.output, &n, sizeof n), static_cast<ssize_t>(sizeof n));
      marks.insert(n);
    }
    kill(writer.process, SIGKILL);
    // What it reported before it died counts as well.
    while (read(writer.output, &n, sizeof n) == sizeof n) marks.insert(n);
    close(writer.output);
    int status = 0;
    ASSERT_EQ(waitpid(writer.process, &status, 0), writer.process);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer was done before it was killed";
    std::uint64_t last = first;
    for (std::uint64_t mark : marks) {
      if (mark < handled(0)) last = std::max(last, mark);
    }
    // At most 32 messages were under way beyond the last one acknowledged.
    first = last + 33;
    auto outcome =
        check_messages(folder, seed, first, [&](std::uint64_t i) { return marks.contains(i); });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message() << "; WEFT_SEED=" << seed;
    // What is owed was handled by the check.
    for (std::uint64_t i = 0; i < first; ++i) {
      if (marks.contains(i)) marks.insert(handled(i));
    }
  }
}

}  // namespace
}  // namespace weft::powercut
