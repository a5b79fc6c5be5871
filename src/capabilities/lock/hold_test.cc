// Shows what a release says of a lock, whatever becomes of its answers.
#include "capabilities/lock/hold.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "capabilities/lock/conformance.h"

namespace weft::lock {
namespace {

// Answers a release with what the test says, one after the other.
class Scripted final : public Store {
 public:
  explicit Scripted(std::vector<Result<bool>> answers) : answers_(std::move(answers)) {}
  Answer<Attempt> take(Request, const LockName&, const std::string&, Milliseconds) override {
    return Attempt{.token = 1};
  }
  Answer<bool> renew(Request, const LockName&, const std::string&, Milliseconds) override {
    return true;
  }
  Answer<bool> release(Request, const LockName&, const std::string& holder) override {
    EXPECT_EQ(holder, "holder");
    CHECK(asked < answers_.size());
    return answers_[asked++];
  }

  std::size_t asked = 0;

 private:
  const std::vector<Result<bool>> answers_;
};

Result<bool> lost_on_the_way() {
  return failure(Errc::kUnavailable, "whether it was done is not known");
}

class Releases : public ::testing::Test {
 protected:
  // Of a lock that is surely held for so long yet.
  Result<bool> release(std::vector<Result<bool>> answers, Milliseconds left = 30s) {
    auto store = std::make_unique<Scripted>(std::move(answers));
    Scripted& asked = *store;
    auto locks = std::make_shared<Locks>(loop_, std::move(store), std::make_shared<Turns>());
    Hold hold(locks, {"app", "lock"}, "holder", Lease(1, Clock::now(), left));
    auto released = await(loop_, hold.release(Client::soon()));
    asked_ = asked.asked;
    return released;
  }

  Loop loop_;
  std::size_t asked_ = 0;
};

TEST_F(Releases, SayWhatTheServerSays) {
  EXPECT_TRUE(release({true}).value());
  EXPECT_FALSE(release({false}).value());
  EXPECT_EQ(asked_, 1U);
  EXPECT_FALSE(release({true}, 0ms).value());
}

TEST_F(Releases, ThatAreAskedTwiceKnowThatNobodyElseHadTheLock) {
  EXPECT_TRUE(release({lost_on_the_way(), false}).value());
  EXPECT_TRUE(release({lost_on_the_way(), true}).value());
  EXPECT_EQ(asked_, 2U);
  // It may have ended by itself.
  EXPECT_FALSE(release({lost_on_the_way(), false}, 0ms).value());
}

TEST_F(Releases, AreAskedTwiceAtMost) {
  auto released = release({lost_on_the_way(), lost_on_the_way()});
  ASSERT_FALSE(released.has_value());
  EXPECT_EQ(released.error().code(), Errc::kUnavailable);
}

TEST_F(Releases, AreNotAskedAgainWhereTheServerRefuses) {
  EXPECT_EQ(release({failure(Errc::kDenied, "no")}).error().code(), Errc::kDenied);
  EXPECT_EQ(asked_, 1U);
}

}  // namespace
}  // namespace weft::lock
