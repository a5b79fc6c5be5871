// Shows that a node's log of events loses none that was said to be durable, has no gap and goes on:
// after a kill -9 in the middle of writing, and after a power cut behind any record of what the
// process did to its files. Promises made too early are found missing.
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "node/events/segment.h"
#include "node/events/testing.h"
#include "recording.h"

namespace weft::powercut {
namespace {

using Kind = Record::Kind;
using node::events::EventLog;
using node::events::EventReader;
using node::events::testing::logged_event;
using node::events::testing::some_event;

constexpr std::uint64_t kCount = 150;
constexpr std::uint64_t kUnderWayMax = 1'000;

// Reads events until there is none; each is what was appended. The number of the last.
Result<std::uint64_t> read_all(const fs::path& folder, std::uint64_t& oldest) {
  TRY(EventReader reader, EventReader::open(folder));
  oldest = reader.position();
  for (;;) {
    TRY(auto event, reader.next());
    if (!event) return reader.position() - 1;
    if (*event == logged_event(reader.position() - 1)) continue;
    return failure(Errc::kCorrupt, "event " + std::to_string(event->sequence) + " is another one");
  }
}

Result<void> check_events(const fs::path& folder, std::uint64_t, std::uint64_t,
                          const std::function<bool(std::uint64_t)>& acknowledged) {
  // As another process reads it before the node has started again.
  std::uint64_t oldest = 1;
  auto before = read_all(folder, oldest);
  if (!before && before.error().code() != Errc::kNotFound) return std::unexpected(before.error());
  TRY(auto log, EventLog::open(folder, node::events::testing::key_of('n').public_key(),
                               {.segment_bytes = 8'000}));
  std::uint64_t durable = log->durable();
  if (before && *before > durable) return failure(Errc::kCorrupt, "what was read is gone");
  // More than these were not under way.
  for (std::uint64_t n = durable + 1; n <= durable + kUnderWayMax; ++n) {
    if (acknowledged(n)) {
      return failure(Errc::kNotFound, "event " + std::to_string(n) + " is lost");
    }
  }
  for (std::uint64_t n = durable + 1; n <= durable + 3; ++n) {
    TRY(std::uint64_t sequence, log->append(some_event(n)));
    if (sequence != n) return failure(Errc::kCorrupt, "a gap");
  }
  log.reset();
  TRY(std::uint64_t last, read_all(folder, oldest));
  if (last != durable + 3) return failure(Errc::kCorrupt, "it does not go on");
  return {};
}

const Subject kSubject{WEFT_EVENTS_WRITER, check_events};

class EventsOf : public ::testing::TestWithParam<const char*> {};

TEST_P(EventsOf, AtAnyMomentLosesNoEventThatWasDurable) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, kCount, GetParam());
  auto& records = recording.records();
  ASSERT_EQ(count_of(records, Kind::kMark), kCount);
  ASSERT_GT(count_of(records, Kind::kRename), 4u);
  constexpr std::size_t kCuts = 80;
  for (std::size_t i = 0; i < kCuts; ++i) {
    // Every record of the first start, and then by chance.
    std::size_t cut = i < 40 ? i : chance() % (records.size() + 1);
    for (Left left : {Left::kNothing, Left::kSome, Left::kAll}) {
      ASSERT_TRUE(recording.survives(cut, left, chance, true))
          << "cut after record " << cut << " of " << records.size() << ", left "
          << static_cast<int>(left) << ", WEFT_SEED=" << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PowerCut, EventsOf, ::testing::Values("all", "retained"),
                         [](const auto& each) { return std::string(each.param); });

TEST(EventsPowerCut, APromiseThatIsMadeTooEarlyIsMissed) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  Recording recording(kSubject, seed, kCount, "early");
  auto& records = recording.records();
  int lost = 0;
  for (int i = 0; i < 30; ++i) {
    std::size_t cut = records.size() / 4 + chance() % (records.size() / 2);
    if (!recording.survives(cut, Left::kNothing, chance, false)) ++lost;
  }
  EXPECT_GT(lost, 10) << "of 30 cuts; WEFT_SEED=" << seed;
}

TEST(EventsKill, InTheMiddleOfWritingLosesNoEventThatWasDurable) {
  auto seed = seed_of_run();
  std::mt19937_64 chance(seed);
  TestFolder place;
  auto folder = place.path().string() + "/state";
  std::set<std::uint64_t> acknowledged;
  for (int round = 0; round < 10; ++round) {
    Child writer =
        start_writer(kSubject.writer, {folder, std::to_string(seed), "0", "100000", "all"}, {});
    ASSERT_TRUE(kill_after(writer, 20 + chance() % 400, acknowledged))
        << "the writer was done by itself";
    auto outcome =
        check_events(folder, seed, 0, [&](std::uint64_t i) { return acknowledged.contains(i); });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message() << "; WEFT_SEED=" << seed;
  }
  EXPECT_GT(acknowledged.size(), 500u);
}

}  // namespace
}  // namespace weft::powercut
