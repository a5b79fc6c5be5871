// Shows that a state folder has one owner at a time and that foreign folders are left alone.
#include "capabilities/state_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "capabilities/test_folder.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}
void write_file(const fs::path& path, std::string_view text) {
  std::ofstream(path) << text;
}

TEST(StateFolder, is_made_with_its_parents_and_opens_again) {
  TestFolder place;
  auto path = place.path() / "a" / "b";
  {
    auto folder = StateFolder::open(path);
    ASSERT_TRUE(folder.has_value()) << folder.error().message();
    EXPECT_EQ(folder->path(), path);
    auto sub = folder->subfolder("keyvalue");
    ASSERT_TRUE(sub.has_value());
    EXPECT_TRUE(fs::is_directory(path / "keyvalue"));
  }
  EXPECT_EQ(read_file(path / "format"), "weft-state 1\n");
  EXPECT_TRUE(StateFolder::open(path).has_value());
}

TEST(StateFolder, a_second_owner_is_refused_with_the_pid_of_the_first) {
  TestFolder place;
  auto first = StateFolder::open(place.path());
  ASSERT_TRUE(first.has_value());
  auto second = StateFolder::open(place.path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Errc::kConflict);
  EXPECT_NE(second.error().message().find("process " + std::to_string(getpid())), std::string::npos)
      << second.error().message();
  EXPECT_NE(second.error().message().find("--state"), std::string::npos);
}

// Deleting the lock file frees nothing.
TEST(StateFolder, stays_taken_when_its_lock_file_is_deleted) {
  TestFolder place;
  auto first = StateFolder::open(place.path());
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(fs::remove(place.path() / "owner.lock"));
  auto second = StateFolder::open(place.path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Errc::kConflict);
  EXPECT_FALSE(fs::exists(place.path() / "owner.lock"));
}

// Where neither a flag nor the environment says a place, the message names the flag.
TEST(StateFolder, without_a_place_names_the_flag) {
  auto folder = StateFolder::open("");
  ASSERT_FALSE(folder.has_value());
  EXPECT_NE(folder.error().message().find("--state DIR"), std::string::npos);
}

TEST(StateFolder, the_lock_of_a_killed_process_is_gone_with_it) {
  TestFolder place;
  pid_t child = fork();
  if (child == 0) {
    auto folder = StateFolder::open(place.path());
    if (folder) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(StateFolder::open(place.path()).has_value());
}

TEST(StateFolder, a_folder_with_other_files_is_refused_and_left_as_it_is) {
  TestFolder place;
  write_file(place.path() / "thesis.txt", "mine");
  auto folder = StateFolder::open(place.path());
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code(), Errc::kInvalid);
  EXPECT_NE(folder.error().message().find("thesis.txt"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(place.path()), fs::directory_iterator()), 1);
}

TEST(StateFolder, another_format_is_refused) {
  TestFolder place;
  write_file(place.path() / "format", "weft-state 2\n");
  auto newer = StateFolder::open(place.path());
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code(), Errc::kUnsupported);
  for (const char* text : {"", "weft-state 1", "weft-state \n", "weft-state 1x\n", "hello\n"}) {
    write_file(place.path() / "format", text);
    auto foreign = StateFolder::open(place.path());
    ASSERT_FALSE(foreign.has_value()) << text;
    EXPECT_EQ(foreign.error().code(), Errc::kCorrupt) << text;
  }
}

TEST(StateFolder, an_interrupted_first_start_is_taken_up_again) {
  TestFolder place;
  write_file(place.path() / "owner.lock", "1\n");
  write_file(place.path() / "format.new", "weft-");
  EXPECT_TRUE(StateFolder::open(place.path()).has_value());
  EXPECT_EQ(read_file(place.path() / "format"), "weft-state 1\n");
}

TEST(StateFolder, on_demand_is_not_taken_before_somebody_asks) {
  TestFolder place;
  auto path = place.path() / "state";
  StateFolderOnDemand folder(path);
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(folder.subfolder("a").has_value());
  ASSERT_TRUE(folder.subfolder("b").has_value());
  EXPECT_TRUE(fs::exists(path / "b"));
  EXPECT_EQ(StateFolder::open(path).error().code(), Errc::kConflict);
}

TEST(StateFolder, a_place_that_takes_no_folders_is_an_error_that_names_it) {
  auto folder = StateFolder::open("/proc/weft/state");
  ASSERT_FALSE(folder.has_value());
  EXPECT_NE(folder.error().message().find("/proc/weft"), std::string::npos);
}

TEST(StateFolder, a_file_in_its_place_is_an_error_that_names_it) {
  TestFolder place;
  write_file(place.path() / "file", "x");
  auto folder = StateFolder::open(place.path() / "file");
  ASSERT_FALSE(folder.has_value());
  EXPECT_NE(folder.error().message().find("file"), std::string::npos);
  EXPECT_FALSE(StateFolder::open(place.path() / "file" / "below").has_value());
}

}  // namespace
}  // namespace weft
