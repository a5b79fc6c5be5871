// Shows that the log numbers events without a gap from many threads, reads back from any number
// while it is written and after, keeps within its bounds, and says so where it cannot go on.
#include "node/events/event_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "capabilities/test_folder.h"
#include "node/events/export_events.h"
#include "node/events/files.h"
#include "node/events/marks.h"
#include "node/events/segment.h"
#include "node/events/testing.h"

namespace weft::node::events {
namespace {

using testing::append_until;
using testing::key_of;
using testing::logged_event;
using testing::some_event;

namespace fs = std::filesystem;

const PublicKey kNode = key_of('n').public_key();

struct Place {
  TestFolder temporary;
  fs::path folder = temporary.path() / "events";

  std::unique_ptr<EventLog> open(EventLogOptions options = {}) {
    auto log = EventLog::open(folder, kNode, options);
    CHECK(log.has_value());
    return *std::move(log);
  }
};

// Reads all from `from` on and looks whether it is what was appended.
std::uint64_t read_all(const fs::path& folder, std::uint64_t from = 0) {
  auto reader = EventReader::open(folder, from);
  EXPECT_TRUE(reader.has_value()) << reader.error().message();
  if (!reader) return 0;
  for (;;) {
    auto event = reader->next();
    EXPECT_TRUE(event.has_value()) << event.error().message();
    if (!event || !*event) return reader->position() - 1;
    EXPECT_EQ(**event, logged_event(reader->position() - 1));
  }
}

TEST(EventLog, KeepsEventsOverItsEnd) {
  Place place;
  for (std::uint64_t round = 1; round <= 5; ++round) {
    auto log = place.open();
    EXPECT_EQ(log->durable(), 20 * (round - 1));
    EXPECT_EQ(log->cut_bytes(), 0u);
    append_until(*log, 20 * round);
  }
  EXPECT_EQ(read_all(place.folder), 100u);
  EXPECT_EQ(read_all(place.folder, 1), 100u);
}

TEST(EventLog, WritesWhatWaitsWhenItEnds) {
  Place place;
  std::uint64_t told = 0;
  {
    auto log = place.open();
    for (std::uint64_t n = 1; n <= 500; ++n) {
      ASSERT_EQ(log->append(some_event(n),
                            [&, n](const Result<void>& outcome) {
                              EXPECT_TRUE(outcome.has_value());
                              EXPECT_EQ(n, told + 1);
                              told = n;
                            }),
                n);
    }
  }
  EXPECT_EQ(told, 500u);
  EXPECT_EQ(read_all(place.folder), 500u);
}

TEST(EventLog, NumbersEventsOfManyThreadsWithoutAGap) {
  Place place;
  constexpr std::uint64_t kThreads = 4, kEach = 3'000;
  std::atomic<std::uint64_t> cpu{0};
  std::atomic<std::uint64_t> told{0};
  {
    auto log = place.open({.segment_bytes = 200'000});
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0; i < kEach; ++i) {
          Event event = some_event(t * kEach + i);
          cpu += event.usage.cpu_ns;
          auto appended = log->append(std::move(event), [&](const Result<void>& outcome) {
            if (outcome) ++told;
          });
          ASSERT_TRUE(appended.has_value());
        }
      });
    }
  }
  EXPECT_EQ(told, kThreads * kEach);
  auto reader = EventReader::open(place.folder);
  ASSERT_TRUE(reader.has_value());
  std::uint64_t count = 0, sum = 0;
  for (;;) {
    auto event = reader->next();
    ASSERT_TRUE(event.has_value()) << event.error().message();
    if (!*event) break;
    EXPECT_EQ((*event)->sequence, ++count);
    sum += (*event)->usage.cpu_ns;
  }
  // The sum of the records is the process's own.
  EXPECT_EQ(count, kThreads * kEach);
  EXPECT_EQ(sum, cpu);
}

TEST(EventLog, IsReadFromAnyNumber) {
  Place place;
  constexpr std::uint64_t kCount = 4'000;
  {
    auto log = place.open({.segment_bytes = 600'000});
    append_until(*log, kCount);
  }
  ASSERT_GT(segments_in(place.folder)->size(), 1u);
  ASSERT_GT(fs::file_size(place.folder / index_name(1)), 0u);
  for (std::uint64_t from = 1; from <= kCount; from += 1 + from % 97) {
    auto reader = EventReader::open(place.folder, from);
    ASSERT_TRUE(reader.has_value()) << reader.error().message();
    auto event = reader->next();
    ASSERT_TRUE(event.has_value() && *event) << from;
    ASSERT_EQ(**event, logged_event(from));
  }
  EXPECT_EQ(read_all(place.folder, 3'000), kCount);
  // One that is still to come.
  auto later = EventReader::open(place.folder, kCount + 10);
  ASSERT_TRUE(later.has_value());
  EXPECT_FALSE(later->next().value());
  auto log = place.open();
  append_until(*log, kCount + 10);
  EXPECT_EQ(later->next().value(), logged_event(kCount + 10));
}

TEST(EventLog, IsReadByAnIndexThatIsWrongOrLost) {
  Place place;
  append_until(*place.open(), 3'000);
  fs::path index = place.folder / index_name(1);
  std::ofstream(index, std::ios::binary) << std::string(48 * 3, '\1');
  EXPECT_EQ(read_all(place.folder, 2'500), 3'000u);
  fs::remove(index);
  EXPECT_EQ(read_all(place.folder, 2'500), 3'000u);
  // The next start makes it anew.
  place.open();
  EXPECT_GT(fs::file_size(index), 0u);
  EXPECT_EQ(read_all(place.folder, 2'500), 3'000u);
}

TEST(EventLog, IsFollowedWhileItIsWritten) {
  Place place;
  constexpr std::uint64_t kCount = 5'000;
  auto log = place.open({.segment_bytes = 100'000});
  std::atomic<std::uint64_t> told{0};
  auto following = log->follow([&](std::uint64_t durable) {
    EXPECT_GT(durable, told);
    told = durable;
    told.notify_one();
  });
  std::jthread writes([&] { append_until(*log, kCount); });
  auto reader = EventReader::open(place.folder);
  ASSERT_TRUE(reader.has_value());
  std::uint64_t seen = 0;
  while (seen < kCount) {
    told.wait(seen);
    for (;;) {
      auto event = reader->next();
      ASSERT_TRUE(event.has_value()) << event.error().message();
      if (!*event) break;
      ASSERT_EQ(**event, logged_event(++seen));
    }
    // What was told of can be read.
    ASSERT_GE(seen, std::min(told.load(), seen));
  }
  writes.join();
  EventLog::Following gone = std::move(following);
  {
    EventLog::Following end = std::move(gone);
  }
  std::uint64_t before = told;
  append_until(*log, kCount + 10);
  EXPECT_EQ(told, before);
}

TEST(EventLog, RefusesWhatHasNoRoomAndKeepsRoomThatWasTaken) {
  Place place;
  constexpr std::size_t kRoom = 10;
  auto log = place.open({.queue_bytes = kRoom * kFrameBytesMax});
  std::vector<EventLog::Room> rooms;
  for (std::size_t i = 0; i < kRoom; ++i) {
    auto room = log->reserve();
    ASSERT_TRUE(room.has_value());
    rooms.push_back(*std::move(room));
  }
  auto refused = log->append(some_event(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kLimit);
  // Room that was taken is good for an event.
  ASSERT_EQ(log->append(some_event(1), std::move(rooms.back())), 1u);
  rooms.pop_back();
  ASSERT_TRUE(log->wait(1, Deadline::never()).has_value());
  // Room that is given back is there for another.
  rooms.clear();
  append_until(*log, 100);
  log.reset();
  EXPECT_EQ(read_all(place.folder), 100u);
}

TEST(EventLog, StopsWaitingAtTheDeadline) {
  Place place;
  auto log = place.open();
  auto outcome = log->wait(1, Deadline::after(std::chrono::milliseconds(1)));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code(), Errc::kTimeout);
}

TEST(EventLog, RemovesTheOldestAndKeepsTheirChain) {
  Place place;
  EventLogOptions options{.segment_bytes = 20'000, .retain_bytes = 100'000};
  std::uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    auto log = place.open(options);
    append_until(*log, last += 500);
  }
  std::uint64_t bytes = 0;
  auto firsts = *segments_in(place.folder);
  for (std::uint64_t first : firsts) bytes += fs::file_size(place.folder / segment_name(first));
  EXPECT_LE(bytes, options.retain_bytes + options.segment_bytes + kFrameBytesMax);
  ASSERT_GT(firsts.front(), 1u);
  EXPECT_EQ(read_anchor(place.folder).value()->sequence, firsts.front() - 1);
  EXPECT_EQ(read_all(place.folder), last);
  auto reader = EventReader::open(place.folder, 1);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().code(), Errc::kNotFound);
  EXPECT_NE(reader.error().message().find(std::to_string(firsts.front())), std::string::npos);
}

TEST(EventLog, OfAReaderThatIsTooSlowSaysWhatItMissed) {
  Place place;
  auto log = place.open({.segment_bytes = 20'000, .retain_bytes = 60'000});
  append_until(*log, 100);
  auto reader = EventReader::open(place.folder, 50);
  ASSERT_TRUE(reader.has_value());
  append_until(*log, 3'000);
  Result<std::optional<Event>> event = std::nullopt;
  while ((event = reader->next()) && *event) EXPECT_LT((*event)->sequence, 300u);
  ASSERT_FALSE(event.has_value());
  EXPECT_EQ(event.error().code(), Errc::kNotFound) << event.error().message();
}

TEST(EventLog, IsOfOneProcessAndOneNode) {
  Place place;
  auto log = place.open();
  append_until(*log, 3);
  auto second = EventLog::open(place.folder, kNode);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Errc::kConflict);
  log.reset();
  auto other = EventLog::open(place.folder, key_of('o').public_key());
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code(), Errc::kConflict);
  EXPECT_EQ(read_all(place.folder), 3u);
  EXPECT_EQ(EventReader::open(place.temporary.path() / "none").error().code(), Errc::kNotFound);
}

TEST(EventLog, EndsWhereItCannotWriteAndGoesOnAtTheNextStart) {
  Place place;
  std::uint64_t durable = 0;
  {
    auto log = place.open();
    append_until(*log, 50);
    // The process may write no file beyond this size, as on a disk that is full.
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    auto* handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small{.rlim_cur = 30'000, .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    std::atomic<int> told{0}, failed{0};
    int appended = 0;
    for (std::uint64_t n = 51; n <= 300; ++n) {
      auto done = log->append(some_event(n),
                              [&](const Result<void>& outcome) { ++(outcome ? told : failed); });
      if (!done) break;
      ++appended;
    }
    auto outcome = log->wait(300, Deadline::never());
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_NE(outcome.error().message().find("the log of events has ended"), std::string::npos)
        << outcome.error().message();
    EXPECT_FALSE(log->append(some_event(1)).has_value());
    EXPECT_FALSE(log->reserve().has_value());
    EXPECT_TRUE(log->ended().has_value());
    durable = log->durable();
    log.reset();
    EXPECT_EQ(told + failed, appended);
    EXPECT_GE(durable, 50u);
    EXPECT_LT(durable, 300u);
  }
  auto log = place.open();
  EXPECT_GE(log->durable(), durable);
  append_until(*log, 400);
  EXPECT_EQ(read_all(place.folder), 400u);
}

TEST(EventExport, HasTheChainWithIt) {
  Place place;
  {
    auto log = place.open({.segment_bytes = 20'000});
    append_until(*log, 300);
  }
  Bytes all;
  auto collect = [&](BytesView piece) -> Result<void> {
    all.insert(all.end(), piece.begin(), piece.end());
    return {};
  };
  ASSERT_TRUE(export_events(place.folder, 100, 250, collect).has_value());
  std::uint64_t next = 100;
  auto read = [&](const Event& event) { EXPECT_EQ(event, logged_event(next++)); };
  ASSERT_TRUE(read_export(all, kNode, read).has_value());
  EXPECT_EQ(next, 251u);
  EXPECT_EQ(read_export(all, key_of('o').public_key(), read).error().code(), Errc::kConflict);
  Bytes changed = all;
  changed[changed.size() / 2] ^= 1;
  auto ignore = [](const Event&) {};
  EXPECT_EQ(read_export(changed, kNode, ignore).error().code(), Errc::kCorrupt);
  EXPECT_EQ(read_export(BytesView(all).first(40), kNode, ignore).error().code(), Errc::kInvalid);
  EXPECT_EQ(export_events(place.folder, 301, 0, collect).error().code(), Errc::kNotFound);
  all.clear();
  ASSERT_TRUE(export_events(place.folder, 0, 0, collect).has_value());
  next = 1;
  ASSERT_TRUE(read_export(all, kNode, read).has_value());
  EXPECT_EQ(next, 301u);
}

}  // namespace
}  // namespace weft::node::events
