// Shows that no request is taken twice: after a restart, a kill -9, a power cut that loses what was
// not flushed, in the middle of a switch from one file to the next too, and whatever the clock
// does; that places are bounded, shared, and never taken away; that files go when their nonces have
// expired; and that no request makes one that `tidy` can make.
#include "node/admission/seen.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <random>
#include <utility>

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
    auto switching = [this](SeenSwitch at) {
      if (switching_) switching_(at);
    };
    auto opened =
        SeenRequests::open({folder_.path() / "seen", std::move(boot), most, switching}, now);
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
  // As a power cut may have it: of what was written since the last lease, which was flushed with
  // all before it, anything may be missing. Files behind the one with that lease have their heads,
  // which were flushed before they were used.
  void lose(std::mt19937& random) const {
    constexpr std::size_t kHead = 2;
    std::vector<std::filesystem::path> all = files();
    std::size_t with_lease = 0;
    std::vector<std::size_t> flushed(all.size());
    std::vector<std::size_t> records(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_TRUE(read_seen_file(all[i], [&](const SeenRecord& record) {
        ++records[i];
        if (record.kind != SeenRecord::Kind::kLease) return;
        flushed[i] = records[i];
        with_lease = i;
      }));
    }
    for (std::size_t i = with_lease; i < all.size(); ++i) {
      std::size_t least = i == with_lease ? flushed[i] : kHead;
      ASSERT_GE(records[i], least);
      std::size_t kept = least + random() % (records[i] - least + 1);
      std::filesystem::resize_file(all[i], 40 * kept + (kept < records[i] ? random() % 40 : 0));
    }
  }
  // What a crash would find now, and to be what it has found.
  void keep_as_it_is() const {
    std::filesystem::copy(folder_.path() / "seen", folder_.path() / "crashed",
                          std::filesystem::copy_options::recursive);
  }
  void crash() {
    seen_.reset();
    std::filesystem::remove_all(folder_.path() / "seen");
    std::filesystem::rename(folder_.path() / "crashed", folder_.path() / "seen");
  }
  // One request a second, and `tidy` behind it, up to the first switch of a file; returns when.
  UnixMs record_until_switch(std::vector<Request>& taken) {
    std::size_t before = files().size();
    UnixMs now = kNow;
    for (; files().size() == before && now < kNow + 2 * kMinute; now += 1'000) {
      taken.push_back(request_at(now, 10 * kMinute));
      EXPECT_EQ(record(taken.back(), now), Seen::kNew);
      EXPECT_EQ(files().size(), before);
      EXPECT_TRUE(seen_->tidy(now));
    }
    return now - 1'000;
  }

  TestFolder folder_;
  // Called by `tidy`, where it changes from one file to the next.
  std::function<void(SeenSwitch)> switching_;
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
    file.seekg(-20, std::ios::end);
    auto other = static_cast<char>(file.get() ^ 1);
    file.seekp(-20, std::ios::end);
    file.put(other);
  }
  open(kNow + 1'000);
  EXPECT_EQ(record(request, kNow + 1'000), Seen::kTooOld);
  // Until the lease has ended, and clocks cannot be that far apart.
  EXPECT_EQ(record(request_at(kNow + 45'000), kNow + 45'000), Seen::kTooOld);
  EXPECT_EQ(record(request_at(kNow + 45'001), kNow + 45'001), Seen::kNew);
}

// While `tidy` makes the next file, and before it uses it, requests are taken: it holds no lock.
// None of them makes a file, nor does one behind it, and all are refused when they come again.
TEST_F(SeenTest, TidyMakesTheNextFileAndNoRequestDoes) {
  open(kNow);
  std::vector<Request> taken;
  int switches = 0;
  switching_ = [&](SeenSwitch) {
    ++switches;
    std::size_t before = files().size();
    taken.push_back(request_at(kNow + kMinute, 10 * kMinute));
    EXPECT_EQ(record(taken.back(), kNow + kMinute), Seen::kNew);
    EXPECT_EQ(files().size(), before);
  };
  UnixMs now = record_until_switch(taken);
  EXPECT_EQ(switches, 2);
  ASSERT_EQ(files().size(), 2u);
  EXPECT_GT(now, kNow + kMinute);
  for (int i = 0; i < 100; ++i) {
    taken.push_back(request_at(now, 10 * kMinute));
    EXPECT_EQ(record(taken.back(), now), Seen::kNew);
  }
  EXPECT_EQ(files().size(), 2u);
  for (const Request& each : taken) EXPECT_EQ(record(each, now), Seen::kSeen);
  // And of another boot: with the lease in the new file all before it is on the disk.
  std::mt19937 random(1);
  seen_.reset();
  lose(random);
  open(now + 1'000, "two");
  for (const Request& each : taken) EXPECT_NE(record(each, now + 1'000), Seen::kNew);
  EXPECT_EQ(seen_->look(kSigner, taken.front()), Seen::kSeen);
}

// Killed, or without power, where the next file is made and not used, and where it is used and has
// no lease yet.
TEST_F(SeenTest, ACrashInASwitchForgetsNothing) {
  std::mt19937 random(2);
  for (SeenSwitch at : {SeenSwitch::kMade, SeenSwitch::kUsed}) {
    for (bool power_cut : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", static_cast<int>(at), power_cut));
      std::filesystem::remove_all(folder_.path() / "seen");
      open(kNow);
      std::vector<Request> taken;
      std::size_t were = 0;
      switching_ = [&](SeenSwitch now) {
        if (now > at) return;
        taken.push_back(request_at(kNow + kMinute, 10 * kMinute));
        EXPECT_EQ(record(taken.back(), kNow + kMinute), Seen::kNew);
        if (now != at) return;
        were = taken.size();
        keep_as_it_is();
      };
      UnixMs now = record_until_switch(taken);
      switching_ = nullptr;
      ASSERT_EQ(were, taken.size());
      crash();
      ASSERT_EQ(files().size(), 2u);
      if (power_cut) lose(random);
      open(now + 500, power_cut ? "two" : "one");
      for (const Request& each : taken) {
        Seen seen = record(each, now + 500);
        EXPECT_TRUE(seen == Seen::kSeen || (power_cut && seen == Seen::kTooOld));
      }
      // Nothing is damaged: a kill refuses nobody, a power cut what a lost lease may have let in.
      UnixMs later = power_cut ? now + 15'000 + 30'000 + 1 : now + 500;
      EXPECT_EQ(record(request_at(later, 10 * kMinute), later), Seen::kNew);
      // The one that was never used is gone, the one of this opening is there.
      std::size_t used = at == SeenSwitch::kMade ? 1 : 2;
      if (!power_cut) {
        EXPECT_EQ(files().size(), used + 1);
      }
      ASSERT_TRUE(seen_->tidy(later));
      for (const Request& each : taken) EXPECT_NE(record(each, later), Seen::kNew);
    }
  }
}

// A lease that is behind a file says that all of it was on the disk: where some is missing, the
// disk has lost it.
TEST_F(SeenTest, AFileThatIsCutBeforeALeaseIsDamage) {
  open(kNow);
  std::vector<Request> taken;
  UnixMs now = record_until_switch(taken);
  seen_.reset();
  std::filesystem::path first = files().front();
  std::filesystem::resize_file(first, std::filesystem::file_size(first) - 20);
  open(now + 1'000);
  for (const Request& each : taken) EXPECT_NE(record(each, now + 1'000), Seen::kNew);
  EXPECT_EQ(record(request_at(now + 31'000), now + 31'000), Seen::kTooOld);
}

// A request that cannot wait makes a file while `tidy` makes one: that one is not used, and goes.
TEST_F(SeenTest, ARequestThatCannotWaitMakesTheFileItself) {
  open(kNow);
  std::vector<Request> taken;
  UnixMs later = kNow + 2 * kMinute;
  switching_ = [&](SeenSwitch at) {
    EXPECT_EQ(at, SeenSwitch::kMade);
    // Its lease has ended, so it waits for the disk in any case.
    taken.push_back(request_at(later, 10 * kMinute));
    EXPECT_EQ(record(taken.back(), later), Seen::kNew);
    EXPECT_EQ(files().size(), 3u);
  };
  record_until_switch(taken);
  ASSERT_TRUE(seen_->tidy(later));
  EXPECT_EQ(files().size(), 2u);
  open(later + 1'000);
  for (const Request& each : taken) EXPECT_EQ(record(each, later + 1'000), Seen::kSeen);
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

// Random times, jumps of the clock, restarts, kills and power cuts, between and in the middle of
// `tidy`, with what was taken before shown again and again, to the second before it expires.
TEST_F(SeenTest, NothingIsTakenTwiceWhateverHappens) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::vector<Request> taken;
  std::size_t replays = 0;
  int boot = 0;
  UnixMs now = kNow;
  bool crashed = false;
  int crashes = 0;
  switching_ = [&](SeenSwitch) {
    if (crashed) return;
    Request request = request_at(now, 10 * kMinute);
    if (record(request, now) == Seen::kNew) taken.push_back(request);
    crashed = crashes == 0 || random() % 8 == 0;
    if (crashed) keep_as_it_is();
  };
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
    if (std::exchange(crashed, false)) {
      ++crashes;
      crash();
      if (random() % 2 == 0) {
        lose(random);
        ++boot;
      }
      open(now, std::to_string(boot));
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
  EXPECT_GT(crashes, 0);
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

TEST_F(SeenTest, WhereTidyCannotMakeAFileTheOneThatIsThereGoesOn) {
  open(kNow);
  std::filesystem::path next = folder_.path() / "seen" / "seen-0000000002";
  std::ofstream(next) << "";
  UnixMs now = kNow;
  int failures = 0;
  for (int second = 0; second < 70; ++second, now += 1'000) {
    EXPECT_EQ(record(request_at(now), now), Seen::kNew);
    if (!seen_->tidy(now)) ++failures;
  }
  EXPECT_EQ(failures, 1);
  // It has another number by then, and what stood in the way is gone.
  EXPECT_EQ(files().size(), 2u);
  EXPECT_EQ(files().back().filename(), "seen-0000000003");
}

}  // namespace
}  // namespace weft::node
