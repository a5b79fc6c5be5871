// Shows that a spool gives back what it was given, from memory and from its file, up to a bound.
#include "capabilities/blobstore/spool.h"

#include <gtest/gtest.h>

#include <random>

#include "io/loop.h"
#include "io/pool.h"
#include "io/test_task.h"

namespace weft::blobstore {
namespace {

class SpoolTest : public ::testing::Test {
 protected:
  Request request() { return {loop_, Deadline::never()}; }
  template <class T>
  Result<T> wait(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  // Everything that is in it.
  std::string drain(Spool& spool) {
    std::string text;
    while (!spool.empty()) {
      auto part = wait(spool.take(request()));
      EXPECT_TRUE(part.has_value() && !part->empty());
      if (!part || part->empty()) break;
      EXPECT_LE(part->size(), kPartBytesMax);
      text += as_text(*part);
    }
    return text;
  }

  Loop loop_;
  Pool pool_{{.threads = 1}};
};

TEST_F(SpoolTest, an_empty_one_gives_nothing) {
  Spool spool(pool_);
  EXPECT_TRUE(spool.empty());
  EXPECT_TRUE(wait(spool.take(request()))->empty());
}

TEST_F(SpoolTest, bytes_come_back_in_their_order) {
  std::mt19937 chance(1);
  for (std::size_t total : {1u, 1000u, 65'536u, 65'537u, 1'000'000u}) {
    Spool spool(pool_);
    std::string all;
    while (all.size() < total) {
      std::string part(std::min<std::size_t>(total - all.size(), 1 + chance() % kPartBytesMax),
                       '\0');
      for (char& c : part) c = static_cast<char>(chance());
      all += part;
      ASSERT_TRUE(wait(spool.add(request(), to_bytes(part))).has_value());
    }
    EXPECT_TRUE(drain(spool) == all) << total;
    EXPECT_TRUE(spool.empty());
  }
}

TEST_F(SpoolTest, goes_on_after_it_was_emptied) {
  Spool spool(pool_);
  std::string part(50'000, 'a');
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(wait(spool.add(request(), to_bytes(part))).has_value());
    ASSERT_TRUE(wait(spool.add(request(), to_bytes(part))).has_value());
    EXPECT_TRUE(drain(spool) == part + part);
  }
}

TEST_F(SpoolTest, has_a_bound) {
  Spool spool(pool_, 100'000);
  ASSERT_TRUE(wait(spool.add(request(), Bytes(60'000))).has_value());
  ASSERT_TRUE(wait(spool.add(request(), Bytes(40'000))).has_value());
  auto more = wait(spool.add(request(), Bytes(1)));
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().code(), Errc::kLimit);
  EXPECT_NE(more.error().message().find("write-data"), std::string::npos);
}

TEST_F(SpoolTest, says_which_folder_takes_no_file) {
  setenv("TMPDIR", "/proc", 1);
  Spool spool(pool_);
  auto added = wait(spool.add(request(), Bytes(100'000)));
  unsetenv("TMPDIR");
  ASSERT_FALSE(added.has_value());
  EXPECT_NE(added.error().message().find("/proc"), std::string::npos);
}

}  // namespace
}  // namespace weft::blobstore
