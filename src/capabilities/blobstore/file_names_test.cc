// Shows that names of objects and files' names belong together one by one, and stay in their
// folder.
#include "capabilities/blobstore/file_names.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace weft::blobstore {
namespace {

TEST(FileNames, plain_names_stay_readable) {
  EXPECT_EQ(file_name_of("photo-1_a.JPG"), "photo-1_a.JPG");
  EXPECT_EQ(file_name_of("2026/11/a b"), "2026%2F11%2Fa%20b");
  EXPECT_EQ(file_name_of_container("shop", "assets"), "shop,assets");
}

TEST(FileNames, lead_nowhere_and_hide_nothing) {
  EXPECT_EQ(file_name_of("."), "%2E");
  EXPECT_EQ(file_name_of(".."), "%2E.");
  EXPECT_EQ(file_name_of("../x"), "%2E.%2Fx");
  EXPECT_EQ(file_name_of(std::string("\0", 1)), "%00");
  EXPECT_EQ(file_name_of_container("..", "x"), "%2E.,x");
}

TEST(FileNames, of_any_name_are_its_own_and_read_back) {
  std::mt19937 chance(1);
  std::set<std::string> files;
  std::set<std::string> names;
  for (int i = 0; i < 5000; ++i) {
    std::string name;
    std::size_t size = 1 + chance() % (i % 10 == 0 ? 400 : 6);
    for (std::size_t n = 0; n < size; ++n) name.push_back("a./%~\0\xff,2F"[chance() % 10]);
    names.insert(name);
    std::string file = file_name_of(name);
    files.insert(file);
    EXPECT_LE(file.size(), 240u);
    EXPECT_EQ(file.find('/'), file.npos);
    EXPECT_EQ(file.find('\0'), file.npos);
    EXPECT_NE(file[0], '.');
    if (is_hashed(file)) {
      EXPECT_EQ(object_name_of(file), std::nullopt);
    } else {
      EXPECT_EQ(object_name_of(file), name);
    }
  }
  EXPECT_EQ(files.size(), names.size());
}

TEST(FileNames, of_nobody_are_no_objects) {
  for (std::string_view file : {"", ".draft-1", ".container", "a%2", "a%", "%2e", "%41", "a b",
                                "~x", "%zz", "a/b", "lost+found"}) {
    EXPECT_EQ(object_name_of(file), std::nullopt) << file;
  }
}

TEST(FileNames, of_owner_and_container_do_not_run_together) {
  EXPECT_NE(file_name_of_container("a", "bc"), file_name_of_container("ab", "c"));
  EXPECT_NE(file_name_of_container("a,b", "c"), file_name_of_container("a", "b,c"));
  std::string longest(250, '/');
  EXPECT_NE(file_name_of_container(longest, "a"), file_name_of_container(longest, "b"));
  EXPECT_LE(file_name_of_container(longest, longest).size(), 240u);
}

}  // namespace
}  // namespace weft::blobstore
