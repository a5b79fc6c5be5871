// Shows that a folder of events that was damaged is refused with where and what to do, or loses the
// tail that nobody was told of, and never shows an event that was not appended: each file has bytes
// changed, cut off, added and removed, by chance. WEFT_SEED=N repeats a failure.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include "base/read_file.h"
#include "capabilities/test_folder.h"
#include "node/events/event_log.h"
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
constexpr std::uint64_t kCount = 150;
constexpr EventLogOptions kOptions{.segment_bytes = 16'000};

using Files = std::map<std::string, std::string>;

Files files_of(const fs::path& folder) {
  Files files;
  for (auto& entry : fs::directory_iterator(folder)) {
    files[entry.path().filename()] = read_file(entry.path().native(), 1 << 24).value();
  }
  return files;
}

void put_files(const fs::path& folder, const Files& files) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (auto& [name, contents] : files) {
    std::ofstream(folder / name, std::ios::binary) << contents;
  }
}

// A folder with some events in three segments, of which all are durable.
struct Damaged : ::testing::Test {
  Damaged() {
    append_until(*EventLog::open(folder, kNode, kOptions).value(), kCount);
    whole = files_of(folder);
    CHECK(segments_in(folder)->size() == 3);
    last = segment_name(segments_in(folder)->back());
    const char* text = std::getenv("WEFT_SEED");
    seed = text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
    chance.seed(seed);
  }

  // Opens what is there. What can be read of it is what was appended; where it opens, at least
  // `least` is there and it goes on. Whether it opened.
  bool open_and_check(std::uint64_t least) {
    if (auto reader = EventReader::open(folder)) {
      std::uint64_t n = reader->position();
      for (;; ++n) {
        auto event = reader->next();
        if (!event || !*event) break;
        EXPECT_EQ(**event, logged_event(n));
      }
    }
    Files before = files_of(folder);
    auto log = EventLog::open(folder, kNode, kOptions);
    if (!log) {
      message = log.error().message();
      EXPECT_TRUE(log.error().code() == Errc::kCorrupt || log.error().code() == Errc::kConflict)
          << message;
      EXPECT_NE(message.find(folder.native()), std::string::npos) << message;
      before.try_emplace("lock", "");
      EXPECT_EQ(files_of(folder), before) << "something was changed";
      return false;
    }
    std::uint64_t durable = (*log)->durable();
    EXPECT_GE(durable, least);
    for (std::uint64_t n = durable; n < durable + 3; ++n) {
      EXPECT_EQ((*log)->append(some_event(n + 1)).value(), n + 1);
    }
    log->reset();
    auto reader = EventReader::open(folder);
    EXPECT_TRUE(reader.has_value());
    std::uint64_t n = reader->position();
    for (; n <= durable + 3; ++n) EXPECT_EQ(reader->next().value(), logged_event(n));
    EXPECT_FALSE(reader->next().value());
    return true;
  }

  TestFolder temporary;
  fs::path folder = temporary.path() / "events";
  Files whole;
  std::string last;
  std::string message;
  std::uint64_t seed;
  std::mt19937_64 chance;
};

TEST_F(Damaged, AnyByteOfASegmentIsRefused) {
  for (auto& [name, contents] : whole) {
    if (!name.ends_with(".events")) continue;
    // Of the first frames each, then by chance.
    for (std::size_t i = 0; i < 500; ++i) {
      std::size_t at = i < 250 ? i : chance() % contents.size();
      Files files = whole;
      files[name][at] ^= static_cast<char>(1 + chance() % 255);
      put_files(folder, files);
      ASSERT_FALSE(open_and_check(kCount)) << name << " at " << at << ", WEFT_SEED=" << seed;
      ASSERT_NE(message.find(name), std::string::npos) << message;
    }
  }
}

TEST_F(Damaged, AnyCutOfWhatWasDurableIsRefused) {
  for (auto& [name, contents] : whole) {
    if (!name.ends_with(".events")) continue;
    for (int i = 0; i < 100; ++i) {
      Files files = whole;
      files[name].resize(chance() % contents.size());
      put_files(folder, files);
      ASSERT_FALSE(open_and_check(kCount)) << name << ", WEFT_SEED=" << seed;
    }
    Files files = whole;
    files.erase(name);
    put_files(folder, files);
    ASSERT_FALSE(open_and_check(kCount)) << name;
    // Of the last, the one before it can say no more than that something is missing.
    ASSERT_NE(message.find(name == last ? "missing" : name), std::string::npos) << message;
  }
}

TEST_F(Damaged, AByteOfTheOtherFilesLosesNothing) {
  for (auto& [name, contents] : whole) {
    if (name.ends_with(".events")) continue;
    constexpr std::size_t kTimes = 120;
    for (std::size_t i = 0; i < std::min(kTimes, contents.size()); ++i) {
      std::size_t at = i < kTimes * 3 / 4 ? i : chance() % contents.size();
      Files files = whole;
      files[name][at] ^= static_cast<char>(1 + chance() % 255);
      put_files(folder, files);
      open_and_check(kCount);
      ASSERT_FALSE(HasFailure()) << name << " at " << at << ", WEFT_SEED=" << seed;
    }
  }
}

TEST_F(Damaged, WithoutItsMarkIsRefused) {
  for (std::string contents : {"", "x"}) {
    Files files = whole;
    files.erase(std::string(kDurableName));
    if (!contents.empty()) files[std::string(kDurableName)] = contents;
    put_files(folder, files);
    ASSERT_FALSE(open_and_check(kCount));
    ASSERT_NE(message.find(kDurableName), std::string::npos) << message;
  }
}

TEST_F(Damaged, ATailThatNobodyWasToldOfIsCutOff) {
  // Half of a frame, whatever is there, and a whole one that is not in the chain.
  for (int i = 0; i < 60; ++i) {
    std::string tail(1 + chance() % 2'000, '\0');
    if (i % 4 == 1) {
      for (char& c : tail) c = static_cast<char>(chance());
    } else if (i % 4 >= 2) {
      Bytes frame;
      append_frame(frame, logged_event(kCount + 1));
      if (i % 4 == 2) frame.resize(1 + chance() % (frame.size() - 1));
      tail.assign(as_text(frame));
    }
    Files files = whole;
    files[last] += tail;
    put_files(folder, files);
    ASSERT_TRUE(open_and_check(kCount)) << message << ", WEFT_SEED=" << seed;
  }
}

TEST_F(Damaged, OnlyTheLastFileHasATail) {
  for (auto& [name, contents] : whole) {
    if (!name.ends_with(".events") || name == last) continue;
    Files files = whole;
    files[name] += '\0';
    put_files(folder, files);
    ASSERT_FALSE(open_and_check(kCount)) << name;
  }
}

TEST_F(Damaged, AWholeFrameThatNobodyWasToldOfIsKept) {
  auto reader = EventReader::open(folder);
  while (*reader->next()) {
  }
  Bytes frame;
  append_frame(frame, logged_event(kCount + 1));
  Hasher hasher;
  Hash chain = chain_behind(hasher, reader->chain(),
                            BytesView(frame).subspan(4, frame.size() - 4 - Hash::kBytes));
  std::ranges::copy(chain.bytes, frame.end() - Hash::kBytes);
  Files files = whole;
  files[last] += as_text(frame);
  files[last] += "half";
  put_files(folder, files);
  ASSERT_TRUE(open_and_check(kCount + 1)) << message;
}

TEST_F(Damaged, AnOlderLogInTheFolderIsRefused) {
  // Files of another run of the same node, whole by themselves.
  fs::path other = temporary.path() / "other";
  {
    auto log = EventLog::open(other, kNode, kOptions).value();
    for (std::uint64_t n = 0; n < kCount; ++n) {
      ASSERT_TRUE(log->append(some_event(n + 1'000)).has_value());
    }
  }
  for (auto& [name, contents] : files_of(other)) {
    if (!name.ends_with(".events")) continue;
    Files files = whole;
    files[name] = contents;
    put_files(folder, files);
    auto log = EventLog::open(folder, kNode, kOptions);
    ASSERT_FALSE(log.has_value()) << name;
    EXPECT_EQ(log.error().code(), Errc::kCorrupt);
  }
}

TEST_F(Damaged, WithRetentionTheAnchorIsNeeded) {
  {
    auto options = kOptions;
    options.retain_bytes = 20'000;
    auto log = EventLog::open(folder, kNode, options).value();
    append_until(*log, 400);
  }
  whole = files_of(folder);
  ASSERT_TRUE(whole.contains(std::string(kAnchorName)));
  Files files = whole;
  files.erase(std::string(kAnchorName));
  put_files(folder, files);
  EXPECT_EQ(EventLog::open(folder, kNode, kOptions).error().code(), Errc::kCorrupt);
  for (std::size_t at = 0; at < whole[std::string(kAnchorName)].size(); ++at) {
    files = whole;
    files[std::string(kAnchorName)][at] ^= 4;
    put_files(folder, files);
    EXPECT_EQ(EventLog::open(folder, kNode, kOptions).error().code(), Errc::kCorrupt);
  }
  // What retention had begun to remove is removed.
  put_files(folder, whole);
  std::ofstream(folder / segment_name(1)) << "anything";
  EXPECT_TRUE(EventLog::open(folder, kNode, kOptions).has_value());
  EXPECT_FALSE(fs::exists(folder / segment_name(1)));
}

}  // namespace
}  // namespace weft::node::events
