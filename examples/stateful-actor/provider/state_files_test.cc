#include "provider/state_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/sha256.h"

namespace example {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using weft::Errc;

class StateFilesTest : public testing::Test {
 protected:
  StateFilesTest() {
    std::string name = fs::temp_directory_path() / "weft-states-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~StateFilesTest() override { fs::remove_all(folder_); }

  StateFiles open(std::uint64_t bytes_max = 1 << 20) const {
    auto files = StateFiles::open(folder_, bytes_max);
    EXPECT_TRUE(files);
    return *files;
  }
  static weft::Result<void> keep(const StateFiles& files, std::string_view text,
                                 std::string_view hash) {
    TRY(StateFiles::Part part, files.begin());
    TRY_VOID(part.write(weft::as_bytes(text)));
    return files.keep(std::move(part), hash);
  }
  static std::string hash_of(std::string_view text) {
    return weft::sha256_hex(weft::as_bytes(text));
  }
  std::size_t files_there() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  // As if it was last used so many seconds ago.
  void age(std::string_view hash, int seconds) const {
    fs::last_write_time(fs::path(folder_) / hash,
                        fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }

  std::string folder_;
};

// What is kept is there again for whoever opens the folder next.
TEST_F(StateFilesTest, IsThereAfterARestart) {
  ASSERT_TRUE(keep(open(), "a state", hash_of("a state")));
  StateFiles again = open();
  EXPECT_EQ(again.size(hash_of("a state")), 7U);
  auto mapping = again.map(hash_of("a state"));
  ASSERT_TRUE(mapping);
  EXPECT_EQ(weft::as_text(mapping->bytes()), "a state");
}

// A state under a wrong hash leaves nothing behind.
TEST_F(StateFilesTest, AWrongHashIsNotKept) {
  auto kept = keep(open(), "a state", hash_of("another"));
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), Errc::kCorrupt);
  EXPECT_THAT(kept.error().message(), HasSubstr(hash_of("a state")));
  EXPECT_EQ(files_there(), 0U);
}

// A part that is let go is removed; one that a process left when it died, with the next start; one
// that somebody writes right now stays.
TEST_F(StateFilesTest, HalfAStateIsRemoved) {
  StateFiles files = open();
  {
    auto part = files.begin();
    ASSERT_TRUE(part);
    ASSERT_TRUE(part->write(weft::as_bytes("half")));
    EXPECT_EQ(files_there(), 1U);
  }
  EXPECT_EQ(files_there(), 0U);

  std::ofstream(folder_ + "/1-1.part") << "left by the dead";
  auto written = files.begin();
  ASSERT_TRUE(written);
  EXPECT_EQ(files_there(), 2U);
  StateFiles next = open();
  EXPECT_EQ(files_there(), 1U);
  ASSERT_TRUE(written->write(weft::as_bytes("a state")));
  EXPECT_TRUE(files.keep(*std::move(written), hash_of("a state")));
  EXPECT_TRUE(next.map(hash_of("a state")));
}

// One byte that changed on the disk is seen, and the file is removed.
TEST_F(StateFilesTest, DamageIsSeen) {
  StateFiles files = open();
  ASSERT_TRUE(keep(files, "a state", hash_of("a state")));
  std::fstream(fs::path(folder_) / hash_of("a state"), std::ios::in | std::ios::out) << "A";
  auto mapping = files.map(hash_of("a state"));
  ASSERT_FALSE(mapping);
  EXPECT_EQ(mapping.error().code(), Errc::kCorrupt);
  EXPECT_EQ(files_there(), 0U);
  auto again = files.map(hash_of("a state"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::kNotFound);
}

// So is one that was cut off, also to nothing.
TEST_F(StateFilesTest, ATornFileIsSeen) {
  StateFiles files = open();
  for (std::uint64_t left : {std::uint64_t{3}, std::uint64_t{0}}) {
    ASSERT_TRUE(keep(files, "a state", hash_of("a state")));
    fs::resize_file(fs::path(folder_) / hash_of("a state"), left);
    auto mapping = files.map(hash_of("a state"));
    ASSERT_FALSE(mapping);
    EXPECT_EQ(mapping.error().code(), Errc::kCorrupt);
    EXPECT_EQ(files_there(), 0U);
  }
}

// The folder stays within its bound: what was used longest ago goes, what was just brought stays.
TEST_F(StateFilesTest, TheLongestUnusedFileGoes) {
  StateFiles files = open(20);
  ASSERT_TRUE(keep(files, "first...", hash_of("first...")));
  ASSERT_TRUE(keep(files, "second..", hash_of("second..")));
  age(hash_of("first..."), 100);
  age(hash_of("second.."), 50);
  ASSERT_TRUE(files.map(hash_of("first...")));  // Used now.
  ASSERT_TRUE(keep(files, "third...", hash_of("third...")));
  EXPECT_TRUE(files.size(hash_of("first...")));
  EXPECT_FALSE(files.size(hash_of("second..")));
  EXPECT_TRUE(files.size(hash_of("third...")));
}

// What is mapped can be read when its file is gone.
TEST_F(StateFilesTest, AMappingOutlivesItsFile) {
  StateFiles files = open();
  ASSERT_TRUE(keep(files, "a state", hash_of("a state")));
  auto mapping = files.map(hash_of("a state"));
  ASSERT_TRUE(mapping);
  fs::remove(fs::path(folder_) / hash_of("a state"));
  EXPECT_EQ(weft::as_text(mapping->bytes()), "a state");
}

// No hash is a path that leads elsewhere.
TEST(IsHash, TakesNothingElse) {
  EXPECT_TRUE(is_hash(weft::sha256_hex({})));
  std::string hash(64, 'a');
  EXPECT_TRUE(is_hash(hash));
  EXPECT_FALSE(is_hash(""));
  EXPECT_FALSE(is_hash(hash + "a"));
  EXPECT_FALSE(is_hash(hash.substr(1)));
  EXPECT_FALSE(is_hash("../" + hash.substr(3)));
  EXPECT_FALSE(is_hash("A" + hash.substr(1)));
}

}  // namespace
}  // namespace example
