#pragma once

// The model: a convolution of 8x8 patches, a mean over a grid of 4x4 cells, and a linear layer.
//
// A model is used where it lies: the bytes of its file, mapped or not, are its weights. All sums
// are of doubles, in the order that is written here, so that whoever adds in the same order, in any
// language, gets the very same bits.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace example {

inline constexpr std::array<std::uint32_t, 4> kShape{1, 3, 224, 224};
inline constexpr std::size_t kChannels = 3;
inline constexpr std::size_t kSide = 224;
inline constexpr std::size_t kValues = kChannels * kSide * kSide;
inline constexpr std::size_t kPatch = 8;                             // Pixels of a patch's side.
inline constexpr std::size_t kPatches = kSide / kPatch;              // Patches of a side: 28.
inline constexpr std::size_t kWindow = kChannels * kPatch * kPatch;  // Values of a patch: 192.
inline constexpr std::size_t kGrid = 4;                              // Cells of a side.
inline constexpr std::size_t kCells = kGrid * kGrid;
inline constexpr std::size_t kPatchesOfCell = (kPatches / kGrid) * (kPatches / kGrid);  // 49

// What a file begins with; numbers and floats are little endian. The weights follow, as floats:
//   convolution  [kWindow][filters]      by channel, row and column of the patch
//   bias         [filters]
//   linear       [classes][kCells][filters]
//   bias         [classes]
// and the labels, kLabelBytes each, filled up with zeros.
struct Head {
  static constexpr std::array<char, 8> kMagic{'m', 'o', 'd', 'e', 'l', '0', '0', '1'};
  static constexpr std::uint32_t kFiltersMax = 64;
  static constexpr std::uint32_t kClassesMax = 64;
  static constexpr std::size_t kLabelBytes = 16;

  std::array<char, 8> magic = kMagic;
  std::uint32_t filters = 0;
  std::uint32_t classes = 0;
  // Of each channel: a value v of the input becomes (v - mean) / deviation.
  std::array<float, kChannels> mean{};
  std::array<float, kChannels> deviation{};

  // Floats that follow.
  std::size_t weights() const {
    return kWindow * filters + filters + classes * kCells * filters + classes;
  }
  std::size_t file_bytes() const {
    return sizeof(Head) + weights() * sizeof(float) + classes * kLabelBytes;
  }
};
static_assert(sizeof(Head) == 40);

// Asked now and then by what takes long: true ends it.
using Stopped = std::function<bool()>;

// Views of a model's bytes, which outlive it. Immutable: any number of threads may use it.
class Network {
 public:
  // The message says what is wrong with the bytes. They are aligned as a float is.
  static std::expected<Network, std::string> view(std::span<const std::uint8_t> bytes);

  const Head& head() const { return head_; }
  std::string_view label(std::size_t of) const;

  // The cells' means, by cell and filter: what the linear layer takes. `input` has kValues.
  std::vector<double> features(std::span<const float> input) const;
  // A number for each class.
  std::vector<double> scores(std::span<const float> input) const;
  static std::vector<double> probabilities(const std::vector<double>& scores);

  // How much each value of the input adds to the score of class `of`: its normalised value times
  // the score's gradient there, averaged over `samples` copies of the input, all but the first with
  // noise. Nothing: `stopped` said so.
  std::optional<std::vector<float>> attribution(std::span<const float> input, std::size_t of,
                                                std::uint32_t samples,
                                                const Stopped& stopped) const;

 private:
  explicit Network(const Head& head) : head_(head) {}
  double normalised(std::size_t channel, float value) const {
    return (static_cast<double>(value) - static_cast<double>(head_.mean[channel])) /
           static_cast<double>(head_.deviation[channel]);
  }
  // The convolution of the patch at (row, column), before what is negative becomes 0; `window` gets
  // its normalised values.
  void convolve(std::span<const float> input, std::size_t row, std::size_t column,
                std::span<double, kWindow> window, std::span<double> out) const;
  void add_attribution(std::span<const float> input, std::size_t of, std::span<double> sum) const;

  Head head_;
  std::span<const float> filters_;
  std::span<const float> filter_bias_;
  std::span<const float> linear_;
  std::span<const float> linear_bias_;
  std::span<const std::uint8_t> labels_;
};

// Uniform in [0, 1), the same everywhere: what is drawn at random here comes from it.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  double next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }
  double between(double low, double high) { return low + (high - low) * next(); }

 private:
  std::uint64_t state_;
};

}  // namespace example
