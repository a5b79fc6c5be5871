// Shows that a list of names is read piece by piece over pages, and says where it ends.
#include "capabilities/blobstore/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/blobstore/conformance.h"

namespace weft::blobstore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Names : public ::testing::Test {
 protected:
  ObjectNames::Piece read(ObjectNames& names, std::uint64_t count) {
    auto piece = hand_.wait(names.read(hand_.request(), count));
    CHECK(piece.has_value());
    return *std::move(piece);
  }
  // Each page of them is full: 256 names of 1,024 bytes.
  std::vector<std::string> fill(int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
      std::string number = std::to_string(10'000 + i);
      names.push_back(number + std::string(1024 - number.size(), 'x'));
    }
    hand_.put_all(*container_, names);
    return names;
  }

  std::unique_ptr<Backend> backend_ = memory_backend();
  Hand hand_{*backend_};
  std::shared_ptr<Container> container_ = hand_.create("c");
};

TEST_F(Names, of_nothing_end_at_once) {
  ObjectNames names(container_);
  EXPECT_FALSE(read(names, 0).end) << "nobody has looked yet";
  auto piece = read(names, 10);
  EXPECT_THAT(piece.names, IsEmpty());
  EXPECT_TRUE(piece.end);
  EXPECT_TRUE(hand_.wait(names.skip(hand_.request(), 1))->end);
}

TEST_F(Names, come_as_many_as_asked_for) {
  hand_.put_all(*container_, {"a", "b", "c"});
  ObjectNames names(container_);
  auto two = read(names, 2);
  EXPECT_THAT(two.names, ElementsAre("a", "b"));
  EXPECT_FALSE(two.end);
  auto last = read(names, 1);
  EXPECT_THAT(last.names, ElementsAre("c"));
  EXPECT_TRUE(last.end) << "that was the last one, and it is known";
  EXPECT_THAT(read(names, 1).names, IsEmpty());
}

TEST_F(Names, go_over_pages_in_pieces_that_have_a_bound) {
  auto all = fill(1100);
  ObjectNames names(container_);
  std::vector<std::string> seen;
  for (bool end = false; !end;) {
    auto piece = read(names, UINT64_MAX);
    std::size_t bytes = 0;
    for (auto& name : piece.names) bytes += name.size();
    EXPECT_LE(bytes, ObjectNames::kReadBytesMax);
    seen.insert(seen.end(), piece.names.begin(), piece.names.end());
    end = piece.end;
  }
  EXPECT_EQ(seen, all);
}

TEST_F(Names, are_skipped_over_pages) {
  auto all = fill(600);
  ObjectNames names(container_);
  auto skipped = hand_.wait(names.skip(hand_.request(), 500));
  ASSERT_TRUE(skipped.has_value());
  EXPECT_EQ(skipped->count, 500u);
  EXPECT_FALSE(skipped->end);
  EXPECT_THAT(read(names, 1).names, ElementsAre(all[500]));
  skipped = hand_.wait(names.skip(hand_.request(), UINT64_MAX));
  EXPECT_EQ(skipped->count, 99u);
  EXPECT_TRUE(skipped->end);
}

TEST_F(Names, that_come_and_go_meanwhile_disturb_nothing) {
  auto all = fill(300);
  ObjectNames names(container_);
  auto first = read(names, 256);
  EXPECT_FALSE(first.end);
  ASSERT_TRUE(hand_.wait(container_->clear(hand_.request())).has_value());
  hand_.put(*container_, "0 before", "");
  hand_.put(*container_, "9 behind", "");
  auto second = read(names, 256);
  EXPECT_THAT(second.names, ElementsAre("9 behind"));
  EXPECT_TRUE(second.end);
}

}  // namespace
}  // namespace weft::blobstore
