// Shows the handle table: numbers are checked against their kind, used again, limited; what a
// waiting call works on outlives its handle.

#include "door/resources.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

constexpr char kBucketName[] = "bucket";
constexpr char kCursorName[] = "cursor";
constexpr ResourceKind kBucket = kBucketName;
constexpr ResourceKind kCursor = kCursorName;

struct Counted : Resource {
  explicit Counted(int& alive_) : alive(alive_) { ++alive; }
  ~Counted() override { --alive; }
  int& alive;
};

TEST(ResourceTable, ChecksNumberAndKind) {
  int alive = 0;
  ResourceTable table;
  auto number = table.push(kBucket, std::make_unique<Counted>(alive));
  ASSERT_TRUE(number);
  EXPECT_TRUE(table.get(kBucket, *number));
  EXPECT_EQ(table.get(kCursor, *number).error().code(), Errc::kInvalid);
  EXPECT_EQ(table.get(kBucket, *number + 1).error().code(), Errc::kInvalid);
  EXPECT_EQ(table.get(kBucket, 0xffff'ffff).error().code(), Errc::kInvalid);
  EXPECT_EQ(table.take(kCursor, *number).error().code(), Errc::kInvalid);
  EXPECT_EQ(alive, 1);
  EXPECT_TRUE(table.take(kBucket, *number));
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(table.take(kBucket, *number));
  EXPECT_FALSE(table.get(kBucket, *number));
}

TEST(ResourceTable, DropsAndReusesNumbers) {
  int alive = 0;
  ResourceTable table;
  auto first = table.push(kBucket, std::make_unique<Counted>(alive));
  auto second = table.push(kBucket, std::make_unique<Counted>(alive));
  table.drop(*first);
  table.drop(*first);
  table.drop(12345);
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(table.size(), 1);
  EXPECT_EQ(*table.push(kCursor, std::make_unique<Counted>(alive)), *first);
  EXPECT_TRUE(table.get(kBucket, *second));
}

TEST(ResourceTable, KeepsItsLimit) {
  int alive = 0;
  ResourceTable table;
  table.set_limit(2);
  ASSERT_TRUE(table.push(kBucket, std::make_unique<Counted>(alive)));
  ASSERT_TRUE(table.push(kBucket, std::make_unique<Counted>(alive)));
  auto third = table.push(kBucket, std::make_unique<Counted>(alive));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), Errc::kLimit);
  EXPECT_EQ(alive, 2);
  table.drop(0);
  EXPECT_TRUE(table.push(kBucket, std::make_unique<Counted>(alive)));
}

TEST(ResourceTable, FreesWhatIsLeft) {
  int alive = 0;
  {
    ResourceTable table;
    ASSERT_TRUE(table.push(kBucket, std::make_unique<Counted>(alive)));
    ASSERT_TRUE(table.push(kCursor, std::make_unique<Counted>(alive)));
  }
  EXPECT_EQ(alive, 0);
}

TEST(ResourceTable, APinKeepsADroppedResource) {
  int alive = 0;
  ResourceTable table;
  auto number = table.push(kBucket, std::make_unique<Counted>(alive));
  {
    ResourcePin pin(**table.get(kBucket, *number));
    ResourcePin again(**table.get(kBucket, *number));
    EXPECT_EQ(table.take(kBucket, *number).error().code(), Errc::kConflict);
    table.drop(*number);
    EXPECT_FALSE(table.get(kBucket, *number));
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
  auto other = table.push(kBucket, std::make_unique<Counted>(alive));
  {
    ResourcePin pin(**table.get(kBucket, *other));
  }
  EXPECT_EQ(alive, 1);
}

}  // namespace
}  // namespace weft
