// Shows that a result whose handles do not all become its caller's fails as a whole: whatever it
// gives is let go, also what was the caller's already, and what comes after the failure.

#include "engine/arriving.h"

#include <gmock/gmock.h>

#include <vector>

#include "io/loop.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kKind = 0;

class Recorded final : public Arriving {
 public:
  Recorded(Context* to, std::vector<std::uint32_t>& let_go) : Arriving(to, &kKind), gone_(let_go) {}

  Result<std::uint32_t> reader(PipeKind, std::uint32_t number) override { return number; }
  Result<std::uint32_t> writer(PipeKind, std::uint32_t number) override { return number; }

 private:
  struct Held final : Resource {
    Held(std::vector<std::uint32_t>& let_go, std::uint32_t its) : gone(let_go), number(its) {}
    ~Held() override { gone.push_back(number); }
    std::vector<std::uint32_t>& gone;
    std::uint32_t number;
  };
  std::unique_ptr<Resource> hold(std::uint32_t number) override {
    return std::make_unique<Held>(gone_, number);
  }

  std::vector<std::uint32_t>& gone_;
};

class ArrivingTest : public ::testing::Test {
 protected:
  std::vector<std::uint32_t> let_go_;
  Loop loop_;
  Context context_{loop_, "shop", "cart"};
};

TEST_F(ArrivingTest, BecomesTheCallers) {
  Recorded arriving(&context_, let_go_);
  ASSERT_TRUE(arriving.own("r", 7));
  ASSERT_TRUE(arriving.own("r", 8));
  EXPECT_TRUE(arriving.over({}));
  EXPECT_EQ(context_.resources().size(), 2U);
  EXPECT_THAT(let_go_, IsEmpty());
}

TEST_F(ArrivingTest, LetsAllGoWhenOneHasNoRoom) {
  context_.resources().set_limit(1);
  Recorded arriving(&context_, let_go_);
  for (std::uint32_t number : {7U, 8U, 9U}) EXPECT_TRUE(arriving.own("r", number));
  Result<void> over = arriving.over({});
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), Errc::kLimit);
  EXPECT_EQ(context_.resources().size(), 0U);
  EXPECT_THAT(let_go_, ElementsAre(8, 9, 7));
}

TEST_F(ArrivingTest, LetsAllGoWhenTheBytesAreNoValue) {
  Recorded arriving(&context_, let_go_);
  EXPECT_TRUE(arriving.own("r", 7));
  EXPECT_FALSE(arriving.over(failure(Errc::kCorrupt, "cut short")));
  EXPECT_THAT(let_go_, ElementsAre(7));
}

TEST_F(ArrivingTest, LetsAllGoWhenNobodyWaits) {
  Recorded arriving(nullptr, let_go_);
  EXPECT_TRUE(arriving.own("r", 7));
  EXPECT_TRUE(arriving.over({}));
  EXPECT_THAT(let_go_, ElementsAre(7));
}

}  // namespace
}  // namespace weft
