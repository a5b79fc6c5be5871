// Shows that an import is matched by name and type, and that a miss says what is offered instead.
#include "capabilities/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr FunctionInfo kRead[] = {{"read", "func() -> u32", true, false},
                                  {"close", "func()", true, false}};
constexpr FunctionInfo kReadWide[] = {{"close", "func()", true, false},
                                      {"read", "func() -> u64", false, false}};
constexpr FunctionInfo kWrite[] = {{"write", "func(v: u32)", true, false}};

class Fake : public Capability {
 public:
  std::string_view name() const override { return "fake"; }
  std::span<const Offer> offers() const override {
    static constexpr Offer kOffers[] = {{"test:a/io@0.1.0", kRead},
                                        {"test:a/io@0.1.0", kReadWide},
                                        {"test:a/io@0.2.0", kRead},
                                        {"test:a/out@0.1.0", kWrite}};
    return kOffers;
  }
  Result<void> prepare(const Use&) override {
    ++prepared;
    return {};
  }
  std::unique_ptr<Provider> provider(const Offer&, Site) override { return nullptr; }

  int prepared = 0;
};

class Table : public ::testing::Test {
 protected:
  Table() {
    auto fake = std::make_unique<Fake>();
    fake_ = fake.get();
    std::vector<std::unique_ptr<Capability>> all;
    all.push_back(std::move(fake));
    table_ = CapabilityTable(std::move(all));
  }
  std::string refusal(std::string_view interface, std::vector<DeclaredFunction> functions) {
    auto match = table_.match({interface, functions});
    return match ? "(matched)" : match.error().message();
  }

  Fake* fake_ = nullptr;
  CapabilityTable table_;
};

TEST_F(Table, the_declared_type_chooses_between_shapes_of_one_name) {
  DeclaredFunction narrow[] = {{"read", "func() -> u32"}};
  auto match = table_.match({"test:a/io@0.1.0", narrow});
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->offer, &fake_->offers()[0]);
  EXPECT_EQ(match->functions[0].ordinal, 0u);
  EXPECT_TRUE(match->functions[0].plain);
  EXPECT_EQ(fake_->prepared, 0);

  DeclaredFunction wide[] = {{"read", "func() -> u64"}, {"close", "func()"}};
  match = table_.match({"test:a/io@0.1.0", wide});
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->offer, &fake_->offers()[1]);
  ASSERT_EQ(match->functions.size(), 2u);
  EXPECT_EQ(match->functions[0].name, "read");
  EXPECT_EQ(match->functions[0].ordinal, 1u);
  EXPECT_FALSE(match->functions[0].plain);
  EXPECT_EQ(match->functions[1].ordinal, 0u);
}

TEST_F(Table, an_import_of_types_alone_is_matched_by_its_name) {
  EXPECT_TRUE(table_.match({"test:a/io@0.2.0", {}}).has_value());
}

TEST_F(Table, a_miss_says_what_is_offered) {
  EXPECT_THAT(refusal("test:a/io@0.3.0", {}),
              HasSubstr("what is: test:a/io@0.1.0, test:a/io@0.2.0"));
  EXPECT_THAT(refusal("test:a/in@0.1.0", {}), HasSubstr("of its package: test:a/io@0.1.0"));
  EXPECT_THAT(refusal("test:b/io@0.1.0", {}), HasSubstr("test:b/io@0.1.0 is not offered by"));
  EXPECT_THAT(refusal("test:a/out@0.1.0", {{"flush", "func()"}}),
              HasSubstr("without a function flush"));
  EXPECT_THAT(refusal("test:a/out@0.1.0", {{"write", "func(v: u64)"}}),
              HasSubstr("func(v: u32) here, and the component wants func(v: u64)"));
  EXPECT_EQ(fake_->prepared, 0);
}

TEST_F(Table, lists_what_it_offers_once) {
  EXPECT_THAT(table_.offered(),
              ElementsAre("test:a/io@0.1.0", "test:a/io@0.2.0", "test:a/out@0.1.0"));
}

}  // namespace
}  // namespace weft
