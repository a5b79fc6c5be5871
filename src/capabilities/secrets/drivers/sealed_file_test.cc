// Shows that a sealed file is read by whoever has its key and nobody else, that what was done to it
// is noticed, and that its key is kept from others.
#include "capabilities/secrets/drivers/sealed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "capabilities/test_folder.h"

namespace weft::secrets {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class SealedFileTest : public ::testing::Test {
 protected:
  fs::path path(std::string_view name) const { return folder_.path() / "secrets" / name; }
  static std::string contents(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  static void write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  static mode_t mode(const fs::path& path) {
    struct stat info{};
    CHECK(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
  }
  std::string why() {
    auto value = SealedFile(path("")).get("key");
    return value ? "it was read" : value.error().message();
  }
  void set(std::string_view name, std::string_view value, std::int64_t now = 1) {
    auto done = SealedFile(path("")).set(name, Secret(std::string(value)), now);
    ASSERT_TRUE(done.has_value()) << done.error().message();
  }

  TestFolder folder_;
};

TEST_F(SealedFileTest, nothing_is_made_by_looking) {
  SealedFile file(path(""));
  EXPECT_EQ(file.get("key").error().code(), Errc::kNotFound);
  EXPECT_TRUE(file.list()->empty());
  EXPECT_FALSE(*file.remove("key"));
  EXPECT_FALSE(fs::exists(path("")));
}

TEST_F(SealedFileTest, nobody_else_may_read_what_is_made) {
  set("key", "hunter2");
  EXPECT_EQ(mode(path("")), 0700U);
  EXPECT_EQ(mode(path("key")), 0600U);
  EXPECT_EQ(mode(path("secrets.sealed")), 0600U);
  EXPECT_EQ(contents(path("key")).size(), 65U);
}

TEST_F(SealedFileTest, neither_a_name_nor_a_value_can_be_read_in_it) {
  set("payment-key", "hunter2-hunter2");
  std::string text = contents(path("secrets.sealed"));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, Not(HasSubstr("payment")));
  // The same secrets written again are other bytes.
  set("payment-key", "hunter2-hunter2");
  EXPECT_NE(contents(path("secrets.sealed")), text);
}

TEST_F(SealedFileTest, a_list_has_names_and_times) {
  set("b", "hunter2", 10);
  set("a", "hunter2", 20);
  set("b", "hunter3", 30);
  auto listed = SealedFile(path("")).list();
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ(listed->at(0).name, "a");
  EXPECT_EQ(listed->at(1).name, "b");
  EXPECT_EQ(listed->at(1).created, 10);
  EXPECT_EQ(listed->at(1).changed, 30);
}

TEST_F(SealedFileTest, set_and_remove_say_what_was_there) {
  SealedFile file(path(""));
  EXPECT_TRUE(*file.set("key", Secret(std::string("a")), 1));
  EXPECT_FALSE(*file.set("key", Secret(std::string("b")), 2));
  EXPECT_TRUE(*file.remove("key"));
  EXPECT_FALSE(*file.remove("key"));
}

// Each byte in turn: none may be changed, and none may be missing.
TEST_F(SealedFileTest, what_was_tampered_with_is_refused) {
  set("key", "hunter2");
  std::string good = contents(path("secrets.sealed"));
  ASSERT_EQ(why(), "it was read");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    write(path("secrets.sealed"), bad);
    ASSERT_THAT(why(), Not(HasSubstr("it was read"))) << i;
    write(path("secrets.sealed"), good.substr(0, i));
    ASSERT_THAT(why(), Not(HasSubstr("it was read"))) << i;
  }
  write(path("secrets.sealed"), good + "x");
  EXPECT_THAT(why(), HasSubstr("it is damaged, or somebody has changed it"));
  write(path("secrets.sealed"), good);
  EXPECT_EQ(why(), "it was read");
}

TEST_F(SealedFileTest, what_is_wrong_is_told_apart) {
  set("key", "hunter2");
  std::string good = contents(path("secrets.sealed"));
  std::string key = contents(path("key"));
  write(path("secrets.sealed"), "[secrets]\nkey = 1\n");
  EXPECT_THAT(why(), HasSubstr("secrets.sealed: it is no file of weft's secrets"));
  write(path("secrets.sealed"), "weft-secrets 2\n");
  EXPECT_THAT(why(), HasSubstr("another version of weft wrote it"));
  write(path("secrets.sealed"), good.substr(0, 40));
  EXPECT_THAT(why(), HasSubstr("it is cut short"));
  write(path("secrets.sealed"), good);
  write(path("key"), SealingKey::random().text().reveal().data());
  EXPECT_THAT(why(), HasSubstr("it was sealed with another key"));
  write(path("key"), "hunter2");
  EXPECT_THAT(why(), HasSubstr("key: it is no key of weft"));
  EXPECT_THAT(why(), Not(HasSubstr("hunter2")));
  fs::remove(path("key"));
  EXPECT_THAT(why(), HasSubstr("there is no key"));
  // A file without its key is not written over either.
  EXPECT_FALSE(SealedFile(path("")).set("key", Secret(std::string("x")), 1).has_value());
  EXPECT_EQ(contents(path("secrets.sealed")), good);
  write(path("key"), key);
  fs::permissions(path("key"), fs::perms(0600));
  EXPECT_EQ(why(), "it was read");
}

TEST_F(SealedFileTest, a_key_that_others_may_read_is_refused) {
  set("key", "hunter2");
  for (int open : {0640, 0604, 0660, 0601}) {
    fs::permissions(path("key"), fs::perms(open));
    EXPECT_THAT(why(), HasSubstr("chmod 600")) << open;
  }
  fs::permissions(path("key"), fs::perms(0400));
  EXPECT_EQ(why(), "it was read");
}

TEST_F(SealedFileTest, what_a_write_left_half_done_is_no_matter) {
  set("key", "hunter2");
  write(path("secrets.sealed.new"), "half");
  EXPECT_EQ(why(), "it was read");
  set("key", "hunter3");
  EXPECT_EQ(SealedFile(path("")).get("key")->reveal(), "hunter3");
  EXPECT_FALSE(fs::exists(path("secrets.sealed.new")));
}

TEST_F(SealedFileTest, writers_wait_for_each_other_and_lose_nothing) {
  constexpr int kWriters = 4;
  constexpr int kEach = 10;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < kEach; ++i) set(std::to_string(writer * kEach + i), "value");
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(SealedFile(path("")).list()->size(), kWriters * kEach);
}

TEST_F(SealedFileTest, bounds_are_refused_and_change_nothing) {
  set("key", "hunter2");
  SealedFile file(path(""));
  auto long_value = file.set("big", Secret(std::string(kValueBytesMax + 1, 'a')), 1);
  EXPECT_EQ(long_value.error().code(), Errc::kLimit);
  auto long_name = file.set(std::string(kNameBytesMax + 1, 'a'), Secret(std::string("x")), 1);
  EXPECT_EQ(long_name.error().code(), Errc::kInvalid);
  EXPECT_EQ(file.list()->size(), 1U);
}

TEST_F(SealedFileTest, entries_read_back_and_too_many_are_refused) {
  SealingKey key = SealingKey::random();
  SealedEntries entries;
  for (std::size_t i = 0; i < kSecretsMax; ++i) {
    entries[std::to_string(i)] = {Secret(std::string("v")), 1, 2};
  }
  auto file = seal(entries, key);
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(unseal(*file, key)->size(), kSecretsMax);
  EXPECT_EQ(unseal(*file, SealingKey::random()).error().code(), Errc::kDenied);
  entries["more"] = {Secret(std::string("v")), 1, 2};
  EXPECT_EQ(seal(entries, key).error().code(), Errc::kLimit);
}

}  // namespace
}  // namespace weft::secrets
