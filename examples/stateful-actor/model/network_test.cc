#include "model/network.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "model/test_model.h"

namespace example {
namespace {

using testing::HasSubstr;

std::vector<float> some_input() {
  Random random(2);
  std::vector<float> input(kValues);
  for (float& each : input) each = static_cast<float>(random.next());
  return input;
}

bool never() {
  return false;
}

// Bytes that are no model are refused, with what is wrong with them.
TEST(Network, RefusesOtherBytes) {
  std::vector<std::uint8_t> bytes = some_model();
  EXPECT_THAT(Network::view(std::span(bytes).first(39)).error(), HasSubstr("shorter than a head"));
  EXPECT_THAT(Network::view(std::span(bytes).first(bytes.size() - 1)).error(), HasSubstr("bytes"));
  std::vector<std::uint8_t> wrong = bytes;
  wrong[0] = 'M';
  EXPECT_THAT(Network::view(wrong).error(), HasSubstr("model001"));
  wrong = bytes;
  wrong[8] = 65;
  EXPECT_THAT(Network::view(wrong).error(), HasSubstr("65 filters"));
  wrong = bytes;
  std::memset(&wrong[28], 0, sizeof(float));
  EXPECT_THAT(Network::view(wrong).error(), HasSubstr("deviation"));
}

// Labels end at a zero, or with their place.
TEST(Network, HasLabels) {
  std::vector<std::uint8_t> bytes = some_model();
  auto network = Network::view(bytes);
  ASSERT_TRUE(network);
  EXPECT_EQ(network->label(0), "one");
  EXPECT_EQ(network->label(1), "a label of 16 by");
}

// The attribution is the gradient times the value: a small step in one value moves the score by
// what the attribution says.
TEST(Network, TheAttributionIsTheGradient) {
  std::vector<std::uint8_t> bytes = some_model();
  auto network = Network::view(bytes);
  ASSERT_TRUE(network);
  std::vector<float> input = some_input();
  auto attribution = network->attribution(input, 1, 1, never);
  ASSERT_TRUE(attribution);
  double before = network->scores(input)[1];
  std::size_t moved = 0;
  for (std::size_t i = 17; i < kValues; i += 15'013) {
    std::size_t channel = i / (kSide * kSide);
    double value = (double{input[i]} - double{network->head().mean[channel]}) /
                   double{network->head().deviation[channel]};
    std::vector<float> other = input;
    other[i] += 1.0F / 1024;
    double step =
        (double{other[i]} - double{input[i]}) / double{network->head().deviation[channel]};
    double slope = (network->scores(other)[1] - before) / step;
    EXPECT_NEAR(slope * value, (*attribution)[i], 1e-6) << i;
    moved += std::abs(slope) > 1e-7 ? 1 : 0;
  }
  EXPECT_GE(moved, 5U);
}

// Noise changes it, the same way each time.
TEST(Network, SamplesAreTheSameEachTime) {
  std::vector<std::uint8_t> bytes = some_model();
  auto network = Network::view(bytes);
  ASSERT_TRUE(network);
  std::vector<float> input = some_input();
  auto once = network->attribution(input, 0, 3, never);
  EXPECT_EQ(once, network->attribution(input, 0, 3, never));
  EXPECT_NE(once, network->attribution(input, 0, 1, never));
}

// It ends between two samples when it is told to.
TEST(Network, StopsWhenTold) {
  std::vector<std::uint8_t> bytes = some_model();
  auto network = Network::view(bytes);
  ASSERT_TRUE(network);
  int asked = 0;
  auto stopped = network->attribution(some_input(), 0, 1'000'000, [&] { return ++asked == 3; });
  EXPECT_FALSE(stopped);
  EXPECT_EQ(asked, 3);
}

// Probabilities of scores, also of large ones, sum up to 1.
TEST(Network, ProbabilitiesSumUp) {
  std::vector<double> of = Network::probabilities({1000, 1001, -1000});
  EXPECT_NEAR(std::accumulate(of.begin(), of.end(), 0.0), 1, 1e-12);
  EXPECT_NEAR(of[1] / of[0], std::exp(1), 1e-9);
}

}  // namespace
}  // namespace example
