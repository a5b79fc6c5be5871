// Shows what the LMDB driver adds to the conformance suite: durability across a reopen, growth, a
// full file, a full disk, damaged and foreign files, bounds of its queue, and grouped commits.
#include "capabilities/keyvalue/drivers/lmdb.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "base/signal.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/test_folder.h"

namespace weft::keyvalue {
namespace {

namespace fs = std::filesystem;

class Lmdb : public ::testing::Test {
 protected:
  std::unique_ptr<Bucket> open(lmdb::EnvironmentOptions options = {}) {
    database_.reset();
    auto opened = LmdbDatabase::open(folder_.path(), options);
    CHECK(opened.has_value());
    database_ = *opened;
    return *await(loop_, LmdbStore(database_->view(loop_)).open(request(), {"app", "b"}));
  }
  Request request() { return {loop_, Deadline::never()}; }
  Result<void> set(Bucket& bucket, std::string_view key, BytesView value) {
    return await(loop_, bucket.set(request(), key, value));
  }
  std::string get(Bucket& bucket, std::string_view key) {
    auto value = await(loop_, bucket.get(request(), key));
    if (!value) return "(error) " + value.error().message();
    return *value ? std::string(as_text(**value)) : "(none)";
  }
  // While it lives, nothing is committed: it has LMDB's lock for writers.
  class Hold {
   public:
    explicit Hold(lmdb::Environment& environment) {
      CHECK(mdb_txn_begin(environment.get(), nullptr, 0, &transaction_) == 0);
    }
    Hold(const Hold&) = delete;
    ~Hold() { mdb_txn_abort(transaction_); }

   private:
    MDB_txn* transaction_ = nullptr;
  };
  fs::path file() const { return folder_.path() / "data.mdb"; }

  TestFolder folder_;
  Loop loop_;
  std::shared_ptr<LmdbDatabase> database_;
};

TEST_F(Lmdb, keeps_everything_over_a_reopen) {
  std::string long_key(1000, 'l');
  {
    auto bucket = open();
    ASSERT_TRUE(set(*bucket, "k", as_bytes("v")).has_value());
    ASSERT_TRUE(set(*bucket, long_key, as_bytes("long")).has_value());
    ASSERT_TRUE(await(loop_, bucket->increment(request(), "n", 3)).has_value());
  }
  auto bucket = open();
  EXPECT_EQ(get(*bucket, "k"), "v");
  EXPECT_EQ(get(*bucket, long_key), "long");
  EXPECT_EQ(get(*bucket, "n"), "3");
}

TEST_F(Lmdb, versions_go_on_growing_over_a_reopen) {
  auto bucket = open();
  ASSERT_TRUE(set(*bucket, "k", as_bytes("1")).has_value());
  auto before = *await(loop_, bucket->snapshot(request(), "k"));
  bucket.reset();
  bucket = open();
  ASSERT_TRUE(set(*bucket, "k", as_bytes("1")).has_value());
  auto after = *await(loop_, bucket->snapshot(request(), "k"));
  EXPECT_GT(after.version, before.version);
}

TEST_F(Lmdb, grows_while_others_read) {
  auto bucket = open();
  ASSERT_TRUE(set(*bucket, "fixed", as_bytes("here")).has_value());
  std::size_t at_first = database_->environment().map_bytes();
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> reads = 0;
  std::thread reader([&] {
    Loop loop;
    Request mine{loop, Deadline::never()};
    auto other = *await(loop, LmdbStore(database_->view(loop)).open(mine, {"app", "b"}));
    while (!done) {
      auto value = await(loop, other->get(mine, "fixed"));
      if (!value || !*value || as_text(**value) != "here") ++wrong;
      ++reads;
    }
  });
  Bytes value(8 << 20, 7);
  for (int i = 0; i < 10; ++i) {
    auto written = set(*bucket, fmt::format("k{}", i), value);
    EXPECT_TRUE(written.has_value()) << written.error().message();
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, 0);
  EXPECT_GE(database_->environment().map_bytes(), 8 * at_first);
  EXPECT_EQ(get(*bucket, "k9").size(), value.size());
  // A file beyond the first map opens again.
  bucket.reset();
  bucket = open();
  EXPECT_EQ(get(*bucket, "k0").size(), value.size());
}

TEST_F(Lmdb, a_full_file_refuses_what_does_not_fit_and_that_alone) {
  auto bucket = open({.map_bytes_max = lmdb::kMapBytesAtFirst});
  Bytes half(9 << 20, 1);
  ASSERT_TRUE(set(*bucket, "first", half).has_value());
  // One group: the large one finds no room, its neighbours do.
  std::vector<Answer<void>> answers;
  answers.push_back(bucket->set(request(), "small 1", as_bytes("1")));
  answers.push_back(bucket->set(request(), "second", half));
  answers.push_back(bucket->set(request(), "small 2", as_bytes("2")));
  auto small_1 = await(loop_, std::move(answers[0]));
  auto second = await(loop_, std::move(answers[1]));
  auto small_2 = await(loop_, std::move(answers[2]));
  EXPECT_TRUE(small_1.has_value());
  EXPECT_TRUE(small_2.has_value());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Errc::kFull) << second.error().message();
  EXPECT_EQ(get(*bucket, "second"), "(none)");
  EXPECT_EQ(get(*bucket, "first").size(), half.size());
  // A batch is written whole or not at all.
  auto batch = await(loop_, bucket->set_many(request(), {{"a", as_bytes("1")}, {"b", half}}));
  ASSERT_FALSE(batch.has_value());
  EXPECT_EQ(get(*bucket, "a"), "(none)");
  ASSERT_TRUE(await(loop_, bucket->erase(request(), "first")).has_value());
  ASSERT_TRUE(set(*bucket, "other", as_bytes("x")).has_value());
  auto again = set(*bucket, "second", BytesView(half).first(8 << 20));
  EXPECT_TRUE(again.has_value()) << again.error().message();
}

TEST_F(Lmdb, a_file_grows_to_its_bound_and_no_further_also_when_it_is_opened_again) {
  constexpr std::size_t kBound = std::size_t{3} << 20;
  lmdb::EnvironmentOptions options{.map_bytes_at_first = 1 << 20, .map_bytes_max = kBound};
  auto bucket = open(options);
  Bytes value(100'000, 1);
  int written = 0;
  while (set(*bucket, fmt::format("k{}", written), value)) ++written;
  EXPECT_GT(written, 20);
  EXPECT_EQ(fs::file_size(file()), kBound);
  bucket.reset();
  bucket = open(options);
  EXPECT_EQ(fs::file_size(file()), kBound);
  EXPECT_FALSE(set(*bucket, "more", value));
  // What is removed makes room, for values that fit between those that are there.
  ASSERT_TRUE(await(loop_, bucket->erase(request(), "k0")).has_value());
  ASSERT_TRUE(set(*bucket, "a", as_bytes("1")).has_value());
  auto again = set(*bucket, "k0", BytesView(value).first(50'000));
  EXPECT_TRUE(again.has_value()) << again.error().message();
  // With a smaller bound what is there stays, and the file as long as it is.
  bucket.reset();
  options.map_bytes_max = 1 << 20;
  bucket = open(options);
  EXPECT_EQ(fs::file_size(file()), kBound);
  EXPECT_EQ(get(*bucket, "k1").size(), value.size());
  EXPECT_FALSE(set(*bucket, "more", value));
}

// Runs in a process of its own, where files may not grow beyond a bound: what the system then does
// to a write is what it does on a full disk.
int write_on_a_full_disk(const fs::path& folder) {
  signal(SIGXFSZ, SIG_IGN);
  Loop loop;
  Request request{loop, Deadline::never()};
  auto database = LmdbDatabase::open(folder);
  if (!database) return 10;
  auto bucket = *await(loop, LmdbStore((*database)->view(loop)).open(request, {"app", "b"}));
  if (!await(loop, bucket->set(request, "before", as_bytes("1")))) return 11;
  rlimit limit{4 << 20, 4 << 20};
  setrlimit(RLIMIT_FSIZE, &limit);
  Bytes value(1 << 20);
  int written = 0;
  Result<void> outcome;
  while (written < 10) {
    outcome = await(loop, bucket->set(request, fmt::format("k{}", written), value));
    if (!outcome) break;
    ++written;
  }
  if (written == 0 || written == 10) return 12;
  if (outcome.error().code() != Errc::kFull) return 13;
  for (int i = 0; i <= written; ++i) {
    bool there = *await(loop, bucket->exists(request, fmt::format("k{}", i)));
    if (there != (i < written)) return 14;
  }
  // Room again: everything goes on.
  if (!await(loop, bucket->erase(request, "k0"))) return 15;
  if (!await(loop, bucket->set(request, "small", as_bytes("1")))) return 16;
  return 0;
}

TEST_F(Lmdb, a_full_disk_is_a_typed_error_and_leaves_nothing_half_written) {
  pid_t child = fork();
  if (child == 0) _exit(write_on_a_full_disk(folder_.path()));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto bucket = open();
  EXPECT_EQ(get(*bucket, "before"), "1");
  EXPECT_EQ(get(*bucket, "small"), "1");
}

TEST_F(Lmdb, foreign_and_damaged_files_are_refused_by_name) {
  auto bucket = open();
  Bytes value(1 << 20);
  ASSERT_TRUE(set(*bucket, "k", value).has_value());
  bucket.reset();
  database_.reset();
  std::string whole;
  {
    std::ifstream stream(file(), std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::string foreign(whole.size(), 'x');
  std::string one_page = whole.substr(0, 4096);
  std::string cut = whole.substr(0, 1 << 20);
  for (const std::string& bytes : {std::string(), std::string("hello"), foreign, one_page, cut}) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
    auto refused = LmdbDatabase::open(folder_.path());
    ASSERT_FALSE(refused.has_value()) << bytes.size();
    EXPECT_EQ(refused.error().code(), Errc::kCorrupt) << refused.error().message();
    EXPECT_NE(refused.error().message().find(file().string()), std::string::npos)
        << refused.error().message();
  }
  std::ofstream(file(), std::ios::binary | std::ios::trunc) << whole;
  EXPECT_EQ(get(*open(), "k").size(), value.size());
}

// What a child that uses a damaged file came to, and what it said on stderr.
struct Outcome {
  int status = 0;
  std::string said;
};

// Reads, lists and writes what is in the file, in a process that a fault may end.
Outcome use_in_a_child(const fs::path& folder) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    rlimit no_core{};
    setrlimit(RLIMIT_CORE, &no_core);
    // Nobody who reads a damaged file may do so for ever.
    alarm(60);
    explain_mapped_faults();
    Loop loop;
    auto database = LmdbDatabase::open(folder);
    if (!database) _exit(1);
    Request request{loop, Deadline::never()};
    auto bucket = await(loop, LmdbStore((*database)->view(loop)).open(request, {"app", "b"}));
    if (!bucket) _exit(1);
    bool failed = false;
    for (int i = 0; i < 400; ++i) {
      failed |= !await(loop, (*bucket)->get(request, fmt::format("k{}", i)));
    }
    failed |= !await(loop, (*bucket)->list(request, std::nullopt));
    for (int i = 0; i < 40; ++i) {
      failed |= !await(loop, (*bucket)->set(request, fmt::format("k{}", i * 9), as_bytes("new")));
    }
    _exit(failed ? 1 : 0);
  }
  ::close(ends[1]);
  Outcome outcome;
  char bytes[512];
  for (ssize_t got = 0; (got = ::read(ends[0], bytes, sizeof bytes)) > 0;) {
    outcome.said.append(bytes, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  CHECK(waitpid(child, &outcome.status, 0) == child);
  return outcome;
}

// LMDB has no sums over its pages, so damage may lead it anywhere. Then the process ends, and says
// which file did it.
TEST_F(Lmdb, a_damaged_page_is_told_with_the_file_whatever_it_leads_to) {
  {
    auto bucket = open();
    Bytes value(300, 7);
    for (int i = 0; i < 400; ++i) {
      ASSERT_TRUE(set(*bucket, fmt::format("k{}", i), value).has_value());
    }
    database_.reset();
  }
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kDamaged = 96;
  TestFolder copies;
  std::mt19937 random(20);
  int ended = 0;
  int refused = 0;
  for (int round = 0; round < 48; ++round) {
    fs::remove_all(copies.path() / "state");
    fs::create_directory(copies.path() / "state");
    fs::path copy = copies.path() / "state" / "data.mdb";
    fs::copy_file(file(), copy);
    {
      std::fstream stream(copy, std::ios::binary | std::ios::in | std::ios::out);
      // The two first pages are where a file is known by, and refused when it opens.
      std::size_t page = 2 + random() % 60;
      stream.seekp(static_cast<std::streamoff>(page * kPage + random() % 16));
      for (std::size_t i = 0; i < kDamaged; ++i) stream.put(static_cast<char>(random()));
    }
    auto [status, said] = use_in_a_child(copy.parent_path());
    if (WIFEXITED(status)) {
      refused += WEXITSTATUS(status);
      continue;
    }
    ++ended;
    EXPECT_NE(WTERMSIG(status), SIGALRM) << "round " << round;
    EXPECT_NE(said.find(copy.string()), std::string::npos)
        << "round " << round << " ended by signal " << WTERMSIG(status) << ": " << said;
  }
  EXPECT_GT(ended, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(Lmdb, an_interrupted_first_start_leaves_nothing_in_the_way) {
  std::ofstream(folder_.path() / "data.new") << "half a file";
  std::ofstream(folder_.path() / "data.new-lock") << "x";
  auto bucket = open();
  EXPECT_TRUE(set(*bucket, "k", as_bytes("v")).has_value());
  EXPECT_FALSE(fs::exists(folder_.path() / "data.new"));
}

TEST_F(Lmdb, writes_that_wait_together_share_a_flush) {
  auto bucket = open();
  std::vector<Answer<void>> answers;
  {
    Hold hold(database_->environment());
    for (int i = 0; i < 1000; ++i) {
      answers.push_back(bucket->set(request(), fmt::format("k{}", i), as_bytes("v")));
    }
  }
  for (auto& answer : answers) ASSERT_TRUE(await(loop_, std::move(answer)).has_value());
  auto stats = database_->committer().stats();
  EXPECT_EQ(stats.writes, 1000u);
  // What the thread had taken before it had to wait, and the rest.
  EXPECT_LE(stats.commits, 2u);
}

TEST_F(Lmdb, a_full_queue_refuses_and_loses_nothing_it_took) {
  auto bucket = open();
  Bytes value(60 << 20);
  std::vector<Answer<void>> answers;
  {
    Hold hold(database_->environment());
    for (int i = 0; i < 8; ++i) {
      answers.push_back(bucket->set(request(), fmt::format("k{}", i), value));
    }
  }
  int taken = 0;
  int refused = 0;
  for (int i = 0; i < 8; ++i) {
    auto outcome = await(loop_, std::move(answers[i]));
    outcome ? ++taken : ++refused;
    if (!outcome) EXPECT_EQ(outcome.error().code(), Errc::kLimit) << outcome.error().message();
    EXPECT_EQ(*await(loop_, bucket->exists(request(), fmt::format("k{}", i))), outcome.has_value());
  }
  // Four fill the queue; the thread may have had one more in hand.
  EXPECT_GE(taken, 4);
  EXPECT_LE(taken, 5);
  EXPECT_EQ(refused, 8 - taken);
}

TEST_F(Lmdb, what_waits_is_finished_when_the_database_goes) {
  auto bucket = open();
  std::vector<Answer<void>> answers;
  for (int i = 0; i < 100; ++i) {
    answers.push_back(bucket->set(request(), fmt::format("k{}", i), as_bytes("v")));
  }
  bucket.reset();
  database_.reset();
  for (auto& answer : answers) EXPECT_TRUE(await(loop_, std::move(answer)).has_value());
  bucket = open();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(get(*bucket, fmt::format("k{}", i)), "v");
}

}  // namespace
}  // namespace weft::keyvalue
