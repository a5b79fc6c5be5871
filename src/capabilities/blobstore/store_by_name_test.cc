// Shows that containers of several backends look like those of one, copies between them included.
#include "capabilities/blobstore/store_by_name.h"

#include <gtest/gtest.h>

#include "capabilities/blobstore/conformance.h"

namespace weft::blobstore {
namespace {

class ByName : public ::testing::Test {
 protected:
  ByName() {
    CHECK(files_->open());
    stores_.embedded = files_->store(files_hand_->loop());
    stores_.others.emplace("fast", memory_->store(files_hand_->loop()));
    for (std::string name : {"kept", "fast"}) {
      CHECK(hand().wait(stores_.create(hand().request(), at(name))).has_value());
      containers_.push_back(*hand().wait(stores_.open(hand().request(), at(name))));
    }
  }
  ~ByName() override { files_.reset(); }

  Hand& hand() { return *files_hand_; }
  static ContainerName at(std::string name) { return {"app", std::move(name)}; }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::unique_ptr<Backend> memory_ = memory_backend();
  std::unique_ptr<Backend> files_ = files_backend(state_);
  std::optional<Hand> files_hand_{*memory_};
  StoreByName stores_;
  std::vector<std::unique_ptr<Container>> containers_;
};

TEST_F(ByName, each_name_has_its_backend) {
  hand().put(*containers_[0], "o", "in a file");
  hand().put(*containers_[1], "o", "in memory");
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "blobs" / "app,kept" / "o"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "blobs" / "app,fast"));
  EXPECT_TRUE(*hand().wait(stores_.exists(hand().request(), at("fast"))));
  ASSERT_TRUE(hand().wait(stores_.remove(hand().request(), at("fast"))).has_value());
  EXPECT_FALSE(*hand().wait(stores_.exists(hand().request(), at("fast"))));
  EXPECT_EQ(hand().get(*containers_[0], "o"), "in a file");
}

TEST_F(ByName, objects_are_copied_and_moved_between_backends) {
  std::string text(200'000, 't');
  hand().put(*containers_[0], "o", text);
  ObjectId kept{at("kept"), "o"}, fast{at("fast"), "copy"}, back{at("kept"), "back"};
  ASSERT_TRUE(hand().wait(stores_.copy(hand().request(), kept, fast)).has_value());
  EXPECT_TRUE(hand().get(*containers_[1], "copy") == text);
  EXPECT_TRUE(hand().get(*containers_[0], "o") == text);
  ASSERT_TRUE(hand().wait(stores_.move(hand().request(), fast, back)).has_value());
  EXPECT_EQ(hand().get(*containers_[1], "copy"), "(not-found)");
  EXPECT_TRUE(hand().get(*containers_[0], "back") == text);
}

TEST_F(ByName, a_move_that_fails_leaves_the_source) {
  hand().put(*containers_[0], "o", "x");
  ObjectId from{at("kept"), "o"}, bad{at("fast"), std::string(2000, 'n')};
  EXPECT_EQ(code_of(hand().wait(stores_.move(hand().request(), from, bad))), "(invalid)");
  EXPECT_EQ(code_of(hand().wait(stores_.move(hand().late(), from, {at("fast"), "o"}))),
            "(timeout)");
  EXPECT_EQ(hand().get(*containers_[0], "o"), "x");
}

}  // namespace
}  // namespace weft::blobstore
