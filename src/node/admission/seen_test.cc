// Shows that no request is taken twice: after a restart, a kill -9, a power cut that loses what was
// not flushed, and whatever the clock does; that places are bounded, shared, and never taken away;
// and that files go when their nonces have expired.
#include "node/admission/seen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "capabilities/test_folder.h"
#include "node/admission/seen_file.h"

namespace weft::node {
namespace {

constexpr UnixMs kNow = 1'700'000'000'000;
constexpr UnixMs kMinute = 60'000;

const PublicKey kSigner = SigningKey::from_seed(Secret(std::string(32, 'k')))->public_key();

Request request_at(UnixMs made, UnixMs life = kMinute) {
  Request request;
  request.nonce = random_nonce();
  request.made = made;
  request.expires = made + life;
  return request;
}

class SeenTest : public ::testing::Test {
 protected:
  void open(UnixMs now, std::string boot = "one", std::size_t most = kSeenMax) {
    seen_.reset();
    auto opened = SeenRequests::open({folder_.path() / "seen", std::move(boot), most}, now);
    ASSERT_TRUE(opened) << opened.error().message();
    seen_ = *std::move(opened);
  }
  Seen record(const Request& request, UnixMs now, std::string_view group = "friends") {
    auto seen = seen_->record(kSigner, request, group, now);
    EXPECT_TRUE(seen) << seen.error().message();
    return seen.value_or(Seen::kNoPlace);
  }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& each : std::filesystem::directory_iterator(folder_.path() / "seen")) {
      files.push_back(each.path());
    }
    std::ranges::sort(files);
    return files;
  }
  // As a power cut may have it: of what was written since the last lease, which was flushed,
  // anything may be missing.
  void lose(std::mt19937& random) const {
    std::filesystem::path last = files().back();
    std::size_t flushed = 0;
    std::size_t records = 0;
    ASSERT_TRUE(read_seen_file(last, [&](const SeenRecord& record) {
      ++records;
      if (record.kind == SeenRecord::Kind::kLease) flushed = records;
    }));
    std::size_t kept = flushed + random() % (records - flushed + 1);
    std::filesystem::resize_file(last, 40 * kept + (kept < records ? random() % 40 : 0));
  }

  TestFolder folder_;
  std::unique_ptr<SeenRequests> seen_;
};

TEST_F(SeenTest, ARequestIsNewOnce) {
  open(kNow);
  Request request = request_at(kNow);
  EXPECT_EQ(seen_->look(kSigner, request), Seen::kNew);
  EXPECT_EQ(seen_->look(kSigner, request), Seen::kNew);
  EXPECT_EQ(record(request, kNow), Seen::kNew);
  EXPECT_EQ(seen_->look(kSigner, request), Seen::kSeen);
  EXPECT_EQ(record(request, kNow + 1), Seen::kSeen);
  // The nonce counts, not what else is asked with it; another key has its own.
  request.action = Action::kFetch;
  EXPECT_EQ(record(request, kNow), Seen::kSeen);
  request.expires += 30'000;
  EXPECT_EQ(record(request, kNow), Seen::kSeen);
  EXPECT_EQ(seen_->look(PublicKey(), request), Seen::kNew);
}

TEST_F(SeenTest, ARestartForgetsNothing) {
  open(kNow);
  Request before = request_at(kNow);
  EXPECT_EQ(record(before, kNow), Seen::kNew);
  for (UnixMs off : {0, 1'000, 30'000}) {
    open(kNow + off);
    EXPECT_EQ(record(before, kNow + off), Seen::kSeen);
    EXPECT_EQ(record(request_at(kNow + off), kNow + off), Seen::kNew);
  }
  ASSERT_TRUE(seen_->close());
  EXPECT_FALSE(seen_->record(kSigner, request_at(kNow), "friends", kNow));
  open(kNow + 40'000, "two");
  EXPECT_EQ(record(before, kNow + 40'000), Seen::kSeen);
  // It was closed: nothing can be lost, and what was made before is taken.
  EXPECT_EQ(record(request_at(kNow + 1'000), kNow + 40'000), Seen::kNew);
}

TEST_F(SeenTest, AKillForgetsNothing) {
  std::vector<Request> requests;
  for (int i = 0; i < 1'000; ++i) requests.push_back(request_at(kNow));
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    open(kNow);
    for (const Request& each : requests) {
      if (record(each, kNow) != Seen::kNew) ::_exit(1);
    }
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  open(kNow + 1'000);
  EXPECT_EQ(seen_->size(), requests.size());
  for (const Request& each : requests) EXPECT_EQ(record(each, kNow + 1'000), Seen::kSeen);
}

TEST_F(SeenTest, APowerCutRefusesWhatMayBeLost) {
  open(kNow);
  Request lost = request_at(kNow + 100, 10 * kMinute);
  EXPECT_EQ(record(lost, kNow + 100), Seen::kNew);
  std::mt19937 random(1);
  seen_.reset();
  lose(random);
  open(kNow + 20'000, "two");
  EXPECT_NE(record(lost, kNow + 20'000), Seen::kNew);
  // And a restart in the new boot does not forget that.
  open(kNow + 21'000, "two");
  EXPECT_NE(record(lost, kNow + 21'000), Seen::kNew);
  // What was made after the lease and the skew of clocks is new for certain.
  UnixMs later = kNow + 100 + 15'000 + 30'000 + 1;
  EXPECT_EQ(record(request_at(later), later), Seen::kNew);
}

TEST_F(SeenTest, DamageRefusesWhatMayBeLost) {
  open(kNow);
  Request request = request_at(kNow, 10 * kMinute);
  EXPECT_EQ(record(request, kNow), Seen::kNew);
  seen_.reset();
  {
    std::fstream file(files().back(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-20, std::ios::end);
    file << '\x7f';
  }
  open(kNow + 1'000);
  EXPECT_EQ(record(request, kNow + 1'000), Seen::kTooOld);
  // Until the lease has ended, and clocks cannot be that far apart.
  EXPECT_EQ(record(request_at(kNow + 45'000), kNow + 45'000), Seen::kTooOld);
  EXPECT_EQ(record(request_at(kNow + 45'001), kNow + 45'001), Seen::kNew);
}

TEST_F(SeenTest, AClockThatGoesForwardAndBackOpensNothing) {
  for (UnixMs jump : {5 * kMinute, 20 * kMinute}) {
    open(kNow);
    Request request = request_at(kNow, 4 * kMinute);
    EXPECT_EQ(record(request, kNow), Seen::kNew);
    // Forward: it expires, and is dropped, from the disk as well.
    EXPECT_EQ(record(request_at(kNow + jump), kNow + jump), Seen::kNew);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(seen_->tidy(kNow + jump + 2'000));
    // And back.
    EXPECT_EQ(record(request, kNow + 1'000), Seen::kTooOld);
    open(kNow + 2'000);
    EXPECT_NE(record(request, kNow + 2'000), Seen::kNew);
    // What expires later than all that was dropped is taken at once.
    EXPECT_EQ(record(request_at(kNow + 3'000, 5 * kMinute), kNow + 3'000), Seen::kNew);
    std::filesystem::remove_all(folder_.path() / "seen");
  }
}

// Random times, jumps of the clock, restarts, kills and power cuts, with what was taken before
// shown again and again, to the second before it expires.
TEST_F(SeenTest, NothingIsTakenTwiceWhateverHappens) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::vector<Request> taken;
  std::size_t replays = 0;
  int boot = 0;
  UnixMs now = kNow;
  open(now, "0");
  for (int round = 0; round < 10'000; ++round) {
    if (random() % 4 == 0) now += random() % 3'000;
    if (random() % 200 == 0) {
      UnixMs jump = random() % (6 * kMinute);
      now = random() % 2 == 0 ? now + jump : now - jump;
    }
    if (random() % 20 == 0) {
      ASSERT_TRUE(seen_->tidy(now));
    }
    if (random() % 300 == 0) {
      unsigned how = random() % 3;
      if (how == 0) {
        ASSERT_TRUE(seen_->close());
      }
      seen_.reset();
      if (how == 2) lose(random);
      if (how != 1) ++boot;
      open(now, std::to_string(boot));
    }
    Request request = request_at(now + random() % 30'000, 1 + random() % (10 * kMinute));
    if (request.expires > now && record(request, now) == Seen::kNew) taken.push_back(request);
    for (int i = 0; i < 4 && !taken.empty(); ++i) {
      const Request& again =
          taken[taken.size() - 1 - random() % std::min<std::size_t>(taken.size(), 500)];
      // As Admission does before it asks.
      if (again.expires <= now || again.made > now + 30'000) continue;
      ++replays;
      ASSERT_NE(record(again, now), Seen::kNew) << "round " << round;
    }
  }
  EXPECT_GT(taken.size(), 1'000u);
  EXPECT_GT(replays, 5'000u);
  EXPECT_LT(files().size(), 40u);
}

TEST_F(SeenTest, AFullTableRefusesAndForgetsNothing) {
  open(kNow, "one", 100);
  std::vector<Request> taken;
  for (int i = 0; i < 100; ++i) {
    // One group each: nobody's share is what refuses.
    Request request = request_at(kNow);
    EXPECT_EQ(record(request, kNow, std::to_string(i)), Seen::kNew);
    taken.push_back(request);
  }
  EXPECT_EQ(record(request_at(kNow), kNow, "another"), Seen::kNoPlace);
  for (const Request& each : taken) EXPECT_EQ(record(each, kNow + 59'000), Seen::kSeen);
  // When they have expired there is place.
  EXPECT_EQ(record(request_at(kNow + 62'000), kNow + 62'000, "another"), Seen::kNew);
}

TEST_F(SeenTest, AGroupLeavesPlacesForAnother) {
  open(kNow, "one", 1'000);
  std::size_t hostile = 0;
  while (record(request_at(kNow, 10 * kMinute), kNow, "hostile") == Seen::kNew) ++hostile;
  EXPECT_EQ(hostile, 500u);
  std::size_t honest = 0;
  while (record(request_at(kNow), kNow, "honest") == Seen::kNew) ++honest;
  EXPECT_EQ(honest, 250u);
  // A restart knows who has how many.
  open(kNow, "one", 1'000);
  EXPECT_EQ(record(request_at(kNow), kNow, "hostile"), Seen::kNoPlace);
  EXPECT_EQ(record(request_at(kNow), kNow, "third"), Seen::kNew);
}

TEST_F(SeenTest, FilesGoWhenTheirNoncesHaveExpired) {
  open(kNow);
  UnixMs now = kNow;
  for (int second = 0; second < 600; ++second, now += 1'000) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(record(request_at(now), now), Seen::kNew);
    }
    ASSERT_TRUE(seen_->tidy(now));
    ASSERT_LE(files().size(), 5u);
    ASSERT_LE(seen_->size(), 5 * 65u);
  }
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(seen_->tidy(now + 11 * kMinute));
  EXPECT_EQ(seen_->size(), 0u);
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(SeenTest, WhatCannotBeWrittenIsNotTaken) {
  open(kNow);
  EXPECT_EQ(record(request_at(kNow), kNow), Seen::kNew);
  std::filesystem::remove_all(folder_.path() / "seen");
  // The next file cannot be made.
  auto seen = seen_->record(kSigner, request_at(kNow + 2 * kMinute), "friends", kNow + 2 * kMinute);
  EXPECT_FALSE(seen);
  std::filesystem::create_directories(folder_.path() / "seen");
  EXPECT_EQ(record(request_at(kNow + 2 * kMinute), kNow + 2 * kMinute), Seen::kNew);
}

}  // namespace
}  // namespace weft::node
