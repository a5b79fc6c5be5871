#include "model/network.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

namespace example {

static_assert(std::endian::native == std::endian::little, "the file is used as it lies");

namespace {

constexpr double kNoise = 0.1;  // Added to a sample's values: at most so much, either way.

std::size_t cell_of(std::size_t row, std::size_t column) {
  constexpr std::size_t kSideOfCell = kPatches / kGrid;
  return row / kSideOfCell * kGrid + column / kSideOfCell;
}

// Where the value of a patch at (row, column) lies in the input.
std::size_t place(std::size_t channel, std::size_t row, std::size_t column, std::size_t dy,
                  std::size_t dx) {
  return (channel * kSide + row * kPatch + dy) * kSide + column * kPatch + dx;
}

}  // namespace

std::expected<Network, std::string> Network::view(std::span<const std::uint8_t> bytes) {
  Head head;
  if (bytes.size() < sizeof(head)) return std::unexpected("it is shorter than a head");
  std::memcpy(&head, bytes.data(), sizeof(head));
  if (head.magic != Head::kMagic) return std::unexpected("it does not begin with model001");
  if (head.filters == 0 || head.filters > Head::kFiltersMax || head.classes == 0 ||
      head.classes > Head::kClassesMax) {
    return std::unexpected("it has " + std::to_string(head.filters) + " filters and " +
                           std::to_string(head.classes) + " classes; 1 to 64 of each may be");
  }
  if (bytes.size() != head.file_bytes()) {
    return std::unexpected("it has " + std::to_string(bytes.size()) + " bytes and should have " +
                           std::to_string(head.file_bytes()));
  }
  for (float each : head.deviation) {
    if (!(each > 0)) return std::unexpected("a channel's deviation is not above 0");
  }
  Network network(head);
  // Aligned: the head is 40 bytes, and a mapping begins at a page.
  const auto* weights = reinterpret_cast<const float*>(bytes.data() + sizeof(head));
  auto take = [&](std::size_t count) {
    return std::span(std::exchange(weights, weights + count), count);
  };
  network.filters_ = take(kWindow * head.filters);
  network.filter_bias_ = take(head.filters);
  network.linear_ = take(head.classes * kCells * head.filters);
  network.linear_bias_ = take(head.classes);
  network.labels_ = bytes.last(head.classes * Head::kLabelBytes);
  return network;
}

std::string_view Network::label(std::size_t of) const {
  const auto* text = reinterpret_cast<const char*>(&labels_[of * Head::kLabelBytes]);
  return {text, strnlen(text, Head::kLabelBytes)};
}

void Network::convolve(std::span<const float> input, std::size_t row, std::size_t column,
                       std::span<double, kWindow> window, std::span<double> out) const {
  std::ranges::copy(filter_bias_, out.begin());
  std::size_t at = 0;
  for (std::size_t channel = 0; channel < kChannels; ++channel) {
    for (std::size_t dy = 0; dy < kPatch; ++dy) {
      for (std::size_t dx = 0; dx < kPatch; ++dx, ++at) {
        double value = normalised(channel, input[place(channel, row, column, dy, dx)]);
        window[at] = value;
        const float* weights = &filters_[at * head_.filters];
        for (std::size_t f = 0; f < head_.filters; ++f) {
          out[f] += value * static_cast<double>(weights[f]);
        }
      }
    }
  }
}

std::vector<double> Network::features(std::span<const float> input) const {
  std::array<double, kWindow> window;
  std::vector<double> patch(head_.filters);
  std::vector<double> means(kCells * head_.filters);
  for (std::size_t row = 0; row < kPatches; ++row) {
    for (std::size_t column = 0; column < kPatches; ++column) {
      convolve(input, row, column, window, patch);
      double* into = &means[cell_of(row, column) * head_.filters];
      for (std::size_t f = 0; f < head_.filters; ++f) into[f] += std::max(patch[f], 0.0);
    }
  }
  for (double& each : means) each /= double{kPatchesOfCell};
  return means;
}

std::vector<double> Network::scores(std::span<const float> input) const {
  std::vector<double> means = features(input);
  std::vector<double> scores(linear_bias_.begin(), linear_bias_.end());
  for (std::size_t k = 0; k < head_.classes; ++k) {
    const float* weights = &linear_[k * means.size()];
    for (std::size_t i = 0; i < means.size(); ++i) {
      scores[k] += static_cast<double>(weights[i]) * means[i];
    }
  }
  return scores;
}

std::vector<double> Network::probabilities(const std::vector<double>& scores) {
  double highest = *std::ranges::max_element(scores);
  std::vector<double> out;
  double sum = 0;
  for (double each : scores) sum += out.emplace_back(std::exp(each - highest));
  for (double& each : out) each /= sum;
  return out;
}

void Network::add_attribution(std::span<const float> input, std::size_t of,
                              std::span<double> sum) const {
  std::array<double, kWindow> window;
  std::vector<double> patch(head_.filters);
  for (std::size_t row = 0; row < kPatches; ++row) {
    for (std::size_t column = 0; column < kPatches; ++column) {
      convolve(input, row, column, window, patch);
      // From here on what the score changes by when a filter's value in this patch changes.
      const float* linear = &linear_[(of * kCells + cell_of(row, column)) * head_.filters];
      for (std::size_t f = 0; f < head_.filters; ++f) {
        patch[f] = patch[f] > 0 ? static_cast<double>(linear[f]) / double{kPatchesOfCell} : 0.0;
      }
      std::size_t at = 0;
      for (std::size_t channel = 0; channel < kChannels; ++channel) {
        for (std::size_t dy = 0; dy < kPatch; ++dy) {
          for (std::size_t dx = 0; dx < kPatch; ++dx, ++at) {
            const float* weights = &filters_[at * head_.filters];
            double gradient = 0;
            for (std::size_t f = 0; f < head_.filters; ++f) {
              gradient += static_cast<double>(weights[f]) * patch[f];
            }
            sum[place(channel, row, column, dy, dx)] += window[at] * gradient;
          }
        }
      }
    }
  }
}

std::optional<std::vector<float>> Network::attribution(std::span<const float> input, std::size_t of,
                                                       std::uint32_t samples,
                                                       const Stopped& stopped) const {
  std::vector<double> sum(kValues);
  add_attribution(input, of, sum);
  std::vector<float> noisy(samples > 1 ? kValues : 0);
  for (std::uint32_t sample = 1; sample < samples; ++sample) {
    if (stopped()) return std::nullopt;
    Random random(sample);
    for (std::size_t i = 0; i < kValues; ++i) {
      noisy[i] = input[i] + static_cast<float>(random.between(-kNoise, kNoise));
    }
    add_attribution(noisy, of, sum);
  }
  std::vector<float> mean(kValues);
  for (std::size_t i = 0; i < kValues; ++i) mean[i] = static_cast<float>(sum[i] / samples);
  return mean;
}

}  // namespace example
