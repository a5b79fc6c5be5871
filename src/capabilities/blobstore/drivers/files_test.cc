// Shows what the files driver adds to the conformance suite: what a restart and kill -9 leave, a
// full disk, folders with other files in them, and large objects through little memory.
#include "capabilities/blobstore/drivers/files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "capabilities/blobstore/conformance.h"

namespace weft::blobstore {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A backend in a folder, opened again as often as a test likes.
class Files : public ::testing::Test {
 protected:
  Hand& open() {
    close();
    state_.emplace(folder_.path() / "state");
    backend_ = files_backend(*state_);
    CHECK(backend_->open());
    return hand_.emplace(*backend_);
  }
  void close() {
    backend_.reset();
    hand_.reset();
    state_.reset();
  }
  fs::path blobs() const { return folder_.path() / "state" / "blobs"; }
  static std::vector<std::string> files_in(const fs::path& folder) {
    std::vector<std::string> files;
    for (auto& each : fs::directory_iterator(folder)) files.push_back(each.path().filename());
    return files;
  }

  TestFolder folder_;
  std::optional<StateFolderOnDemand> state_;
  std::unique_ptr<Backend> backend_;
  std::optional<Hand> hand_;
};

TEST_F(Files, keep_everything_over_a_restart) {
  std::string long_name(1000, 'l');
  std::uint64_t created = 0;
  {
    Hand& hand = open();
    auto c = hand.create("assets");
    hand.put(*c, "a/b.txt", "text");
    hand.put(*c, long_name, "long");
    created = hand.wait(c->info(hand.request()))->created_at;
  }
  Hand& hand = open();
  auto c = hand.open("assets");
  EXPECT_EQ(hand.get(*c, "a/b.txt"), "text");
  EXPECT_EQ(hand.get(*c, long_name), "long");
  EXPECT_THAT(hand.names(*c), ElementsAre("a/b.txt", long_name));
  EXPECT_EQ(hand.wait(c->info(hand.request()))->created_at, created);
  EXPECT_THAT(files_in(blobs() / "app,assets"), ::testing::Contains("a%2Fb.txt"));
}

TEST_F(Files, what_was_half_done_is_swept_at_the_next_start) {
  {
    Hand& hand = open();
    hand.put(*hand.create("c"), "o", "x");
  }
  std::ofstream(blobs() / "app,c" / ".draft-7") << "half an object";
  // A container whose making, and one whose deletion was cut short.
  fs::create_directory(blobs() / "app,half");
  std::ofstream(blobs() / "app,half" / ".draft-1") << "";
  fs::create_directories(blobs() / ".trash" / "3");
  std::ofstream(blobs() / ".trash" / "3" / "o") << "deleted";
  Hand& hand = open();
  EXPECT_THAT(files_in(blobs()), UnorderedElementsAre(".trash", "app,c"));
  EXPECT_THAT(files_in(blobs() / ".trash"), IsEmpty());
  EXPECT_THAT(files_in(blobs() / "app,c"), UnorderedElementsAre(".container", "o"));
  EXPECT_EQ(hand.get(*hand.open("c"), "o"), "x");
  hand.create("half");
}

TEST_F(Files, that_are_not_ours_are_no_objects) {
  Hand& hand = open();
  auto c = hand.create("c");
  hand.put(*c, "o", "x");
  std::string hashed = "~" + std::string(64, 'a');
  for (std::string name : {"lost+found", "a b", "%41", ".hidden"}) {
    std::ofstream(blobs() / "app,c" / name) << "not ours";
  }
  std::ofstream(blobs() / "app,c" / hashed) << "no name beside it";
  EXPECT_THAT(hand.names(*c), ElementsAre("o"));
}

TEST_F(Files, a_writer_that_is_dropped_takes_its_file_along) {
  Hand& hand = open();
  auto c = hand.create("c");
  {
    auto writer = *hand.wait(c->write(hand.request(), "o"));
    ASSERT_TRUE(hand.wait(writer->write(hand.request(), Bytes(1000))).has_value());
    EXPECT_EQ(files_in(blobs() / "app,c").size(), 2u);
  }
  close();  // Lets what the pool has accepted finish.
  EXPECT_THAT(files_in(blobs() / "app,c"), ElementsAre(".container"));
}

TEST_F(Files, deleted_objects_leave_nothing_behind) {
  Hand& hand = open();
  auto c = hand.create("c");
  std::string long_name(1000, 'l');
  hand.put(*c, long_name, "x");
  hand.put(*c, "o", "x");
  ObjectId from{{"app", "c"}, long_name}, to{{"app", "c"}, long_name + "2"};
  ASSERT_TRUE(hand.wait(hand.store().move(hand.request(), from, to)).has_value());
  EXPECT_EQ(files_in(blobs() / "app,c").size(), 4u) << "the container, two objects, one name";
  ASSERT_TRUE(hand.wait(c->erase(hand.request(), {to.object, "o"})).has_value());
  EXPECT_THAT(files_in(blobs() / "app,c"), ElementsAre(".container"));
  ASSERT_TRUE(hand.wait(hand.store().remove(hand.request(), {"app", "c"})).has_value());
  EXPECT_THAT(files_in(blobs()), ElementsAre(".trash"));
  EXPECT_THAT(files_in(blobs() / ".trash"), IsEmpty());
}

TEST_F(Files, an_object_that_something_has_cut_fails_to_read) {
  Hand& hand = open();
  auto c = hand.create("c");
  hand.put(*c, "o", std::string(100'000, 'x'));
  auto reader = *hand.wait(c->read(hand.request(), "o", {}));
  fs::resize_file(blobs() / "app,c" / "o", 70'000);
  EXPECT_EQ(hand.rest(*reader), "(corrupt)");
}

// Runs in a process of its own, where files may not grow beyond a bound: what the system then does
// to a write is what it does on a full disk.
int write_on_a_full_disk(const fs::path& folder) {
  signal(SIGXFSZ, SIG_IGN);
  StateFolderOnDemand state(folder);
  auto backend = files_backend(state);
  if (!backend->open()) return 10;
  Hand hand(*backend);
  auto c = hand.create("c");
  hand.put(*c, "o", "old");
  rlimit bound{100'000, 100'000};
  if (setrlimit(RLIMIT_FSIZE, &bound) != 0) return 11;
  auto writer = *hand.wait(c->write(hand.request(), "o"));
  Result<void> written;
  for (int i = 0; i < 10 && written; ++i) {
    written = hand.wait(writer->write(hand.request(), Bytes(kPartBytesMax)));
  }
  if (code_of(written) != "(full)") return 12;
  writer.reset();
  if (hand.get(*c, "o") != "old") return 13;
  hand.put(*c, "small", "fits");
  if (hand.get(*c, "small") != "fits") return 14;
  backend.reset();
  return 0;
}

TEST_F(Files, a_full_disk_refuses_and_leaves_the_old_object) {
  pid_t child = fork();
  if (child == 0) _exit(write_on_a_full_disk(folder_.path() / "state"));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_THAT(files_in(blobs() / "app,c"), UnorderedElementsAre(".container", "o", "small"));
}

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

TEST_F(Files, large_objects_go_through_little_memory) {
  std::uint64_t size = std::getenv("WEFT_FAST") != nullptr ? 32ULL << 20 : 1ULL << 30;
  Hand& hand = open();
  auto c = hand.create("c");
  hand.put(*c, "warm", std::string(1 << 20, 'w'));
  [[maybe_unused]] std::size_t before = resident_kib();
  auto writer = *hand.wait(c->write(hand.request(), "large"));
  for (std::uint64_t at = 0; at < size; at += kPartBytesMax) {
    Bytes part(kPartBytesMax, static_cast<std::uint8_t>(at / kPartBytesMax));
    ASSERT_TRUE(hand.wait(writer->write(hand.request(), std::move(part))).has_value());
  }
  ASSERT_TRUE(hand.wait(writer->commit(hand.request())).has_value());
  ObjectId from{{"app", "c"}, "large"}, to{{"app", "c"}, "copy"};
  Request patient{hand.loop(), Deadline::after(std::chrono::minutes(5))};
  auto copied = testing::run_task(hand.loop(), hand.store().copy(patient, from, to),
                                  std::chrono::seconds(300));
  ASSERT_TRUE(copied.has_value()) << copied.error().message();
  auto reader = *hand.wait(c->read(hand.request(), "copy", {}));
  ASSERT_EQ(reader->size(), size);
  std::uint64_t got = 0;
  for (;;) {
    auto part = hand.wait(reader->read(hand.request()));
    ASSERT_TRUE(part.has_value());
    if (part->empty()) break;
    ASSERT_EQ(part->front(), static_cast<std::uint8_t>(got / kPartBytesMax));
    ASSERT_EQ(part->back(), static_cast<std::uint8_t>(got / kPartBytesMax));
    got += part->size();
  }
  EXPECT_EQ(got, size);
  // A sanitizer keeps what was freed for a while.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(resident_kib() - before, 16u << 10);
#endif
}

}  // namespace
}  // namespace weft::blobstore
