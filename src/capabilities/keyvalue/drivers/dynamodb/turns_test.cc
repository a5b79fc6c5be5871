// Shows in which order writes have their turn: by key.
#include "capabilities/keyvalue/drivers/dynamodb/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::keyvalue::dynamodb {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TurnsTest : public ::testing::Test {
 protected:
  void enter(char name, std::vector<std::string> keys) {
    turns_.enter(std::move(keys), [this, name](Turns::Number number) {
      begun_.push_back(name);
      numbers_[name] = number;
    });
  }
  void leave(char name) { turns_.leave(numbers_.at(name)); }
  std::vector<char> begun() { return std::exchange(begun_, {}); }

  Turns turns_;
  std::vector<char> begun_;
  std::unordered_map<char, Turns::Number> numbers_;
};

TEST_F(TurnsTest, OneKeyIsOneAfterTheOtherAndOthersGoBeside) {
  enter('a', {"k"});
  enter('b', {"k"});
  enter('c', {"other"});
  enter('d', {"k"});
  EXPECT_THAT(begun(), ElementsAre('a', 'c'));
  leave('c');
  EXPECT_THAT(begun(), IsEmpty());
  leave('a');
  EXPECT_THAT(begun(), ElementsAre('b'));
  leave('b');
  EXPECT_THAT(begun(), ElementsAre('d'));
  leave('d');
  EXPECT_EQ(turns_.size(), 0U);
}

TEST_F(TurnsTest, SeveralKeysWaitForTheLastOfThem) {
  enter('a', {"1"});
  enter('b', {"2"});
  enter('c', {"1", "2", "3"});
  enter('d', {"3"});
  EXPECT_THAT(begun(), ElementsAre('a', 'b'));
  leave('b');
  EXPECT_THAT(begun(), IsEmpty());
  leave('a');
  EXPECT_THAT(begun(), ElementsAre('c'));
  leave('c');
  EXPECT_THAT(begun(), ElementsAre('d'));
}

TEST_F(TurnsTest, WhoeverBeginsMayLeaveAtOnce) {
  std::vector<int> order;
  auto leaves = [&](int name) {
    return [&, name](Turns::Number number) {
      order.push_back(name);
      turns_.leave(number);
    };
  };
  enter('a', {"k", "l"});
  turns_.enter({"k"}, leaves(1));
  turns_.enter({"k", "l"}, leaves(2));
  turns_.enter({"l"}, leaves(3));
  leave('a');
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_EQ(turns_.size(), 0U);
}

}  // namespace
}  // namespace weft::keyvalue::dynamodb
