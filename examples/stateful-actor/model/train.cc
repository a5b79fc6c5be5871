// Makes a model: train textures|colours OUT writes OUT.model, and OUT.h for the component that
// carries it. Filters come from a seed, the linear layer from a small training on images that are
// drawn here; both are the same on each run.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <numbers>

#include "base/sha256.h"
#include "model/network.h"

namespace example {
namespace {

constexpr std::size_t kImagesOfClass = 40;  // To learn from, and as many to be tested with.
constexpr std::size_t kRounds = 300;
constexpr double kStep = 0.05;
constexpr double kAccuracyMin = 0.9;

struct Kind {
  std::string_view name;
  std::uint32_t filters;
  std::vector<std::string_view> labels;
  // Draws an image of a class.
  std::vector<float> (*draw)(std::size_t of, Random& random);
};

// Stripes and squares of two colours, 16 to 32 pixels a period.
std::vector<float> draw_texture(std::size_t of, Random& random) {
  std::array<double, kChannels> dark;
  std::array<double, kChannels> light;
  for (double& each : dark) each = random.between(0.0, 0.4);
  for (double& each : light) each = random.between(0.6, 1.0);
  double period = random.between(16, 32);
  double shift = random.between(0, period);
  auto band = [&](double along) { return std::fmod(along + shift, period) < period / 2; };
  std::vector<float> image(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    auto x = static_cast<double>(i % kSide);
    auto y = static_cast<double>(i / kSide % kSide);
    bool on = of == 0   ? band(y)
              : of == 1 ? band(x)
              : of == 2 ? band((x + y) * 0.7)
                        : band(x) != band(y);
    std::size_t channel = i / (kSide * kSide);
    image[i] = static_cast<float>((on ? light : dark)[channel] + random.between(-0.05, 0.05));
  }
  return image;
}

// A colour with noise: the class's channel stands out, and in the last class none does.
std::vector<float> draw_colour(std::size_t of, Random& random) {
  double base = random.between(0.1, 0.6);
  double more = random.between(0.2, 0.35);
  std::vector<float> image(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    double own = i / (kSide * kSide) == of ? more : 0;
    image[i] = static_cast<float>(base + own + random.between(-0.1, 0.1));
  }
  return image;
}

const std::array<Kind, 2> kKinds{{
    {"textures", 24, {"horizontal", "vertical", "diagonal", "checked"}, draw_texture},
    {"colours", 8, {"red", "green", "blue", "grey"}, draw_colour},
}};

struct Example {
  std::vector<double> features;
  std::size_t of;
};

// Each filter is a wave of its own direction, over the three channels in its own mixture: what
// finds edges and colours.
void draw_filters(std::uint32_t filters, std::span<float> weights, Random& random) {
  constexpr double kScale = 0.15;
  for (std::uint32_t f = 0; f < filters; ++f) {
    double direction = std::numbers::pi * f / filters;
    double wave = 2 * std::numbers::pi / random.between(12, 24);
    double phase = random.between(0, 2 * std::numbers::pi);
    std::array<double, kChannels> mixture;
    for (double& each : mixture) each = kScale * random.between(-1, 1);
    for (std::size_t at = 0; at < kWindow; ++at) {
      auto x = static_cast<double>(at % kPatch);
      auto y = static_cast<double>(at / kPatch % kPatch);
      double along = x * std::cos(direction) + y * std::sin(direction);
      weights[at * filters + f] =
          static_cast<float>(mixture[at / (kPatch * kPatch)] * std::cos(wave * along + phase));
    }
  }
}

// The bytes of a model, whose linear layer is all zeros.
std::vector<std::uint8_t> untrained(const Kind& kind, Random& random) {
  Head head{.filters = kind.filters, .classes = static_cast<std::uint32_t>(kind.labels.size())};
  head.mean.fill(0.5F);
  head.deviation.fill(0.25F);
  std::vector<float> weights(head.weights());
  draw_filters(head.filters, weights, random);

  std::vector<std::uint8_t> bytes(head.file_bytes());
  std::memcpy(bytes.data(), &head, sizeof(head));
  std::memcpy(&bytes[sizeof(head)], weights.data(), weights.size() * sizeof(float));
  std::uint8_t* label = &bytes[bytes.size() - kind.labels.size() * Head::kLabelBytes];
  for (std::string_view each : kind.labels) {
    std::ranges::copy(each, label);
    label += Head::kLabelBytes;
  }
  return bytes;
}

std::vector<Example> draw(const Kind& kind, const Network& network, Random& random) {
  std::vector<Example> out;
  for (std::size_t i = 0; i < kImagesOfClass * kind.labels.size(); ++i) {
    std::size_t of = i % kind.labels.size();
    out.push_back({network.features(kind.draw(of, random)), of});
  }
  return out;
}

// Softmax regression, one example at a time. Adds to the weights of `bytes`.
void train(std::vector<std::uint8_t>& bytes, const Head& head, const std::vector<Example>& from) {
  std::size_t inputs = kCells * head.filters;
  std::vector<double> weights(head.classes * inputs);
  std::vector<double> bias(head.classes);
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (const Example& example : from) {
      std::vector<double> scores = bias;
      for (std::size_t k = 0; k < head.classes; ++k) {
        for (std::size_t i = 0; i < inputs; ++i) {
          scores[k] += weights[k * inputs + i] * example.features[i];
        }
      }
      std::vector<double> wanted = Network::probabilities(scores);
      for (std::size_t k = 0; k < head.classes; ++k) {
        double step = kStep * ((k == example.of ? 1.0 : 0.0) - wanted[k]);
        bias[k] += step;
        for (std::size_t i = 0; i < inputs; ++i) {
          weights[k * inputs + i] += step * example.features[i];
        }
      }
    }
  }
  std::vector<float> out(weights.begin(), weights.end());
  out.insert(out.end(), bias.begin(), bias.end());
  std::size_t place = sizeof(head) + (kWindow + 1) * head.filters * sizeof(float);
  std::memcpy(&bytes[place], out.data(), out.size() * sizeof(float));
}

double accuracy(const Kind& kind, const Network& network, Random& random) {
  std::size_t right = 0;
  std::size_t all = kImagesOfClass * kind.labels.size();
  for (std::size_t i = 0; i < all; ++i) {
    std::vector<double> scores = network.scores(kind.draw(i % kind.labels.size(), random));
    auto best = std::ranges::max_element(scores) - scores.begin();
    right += static_cast<std::size_t>(best) == i % kind.labels.size() ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(all);
}

int run(std::string_view name, const std::string& out) {
  const auto* kind = std::ranges::find(kKinds, name, &Kind::name);
  if (kind == kKinds.end()) {
    std::cerr << "train: there are textures and colours, and not " << name << '\n';
    return 2;
  }
  Random random(2026);
  std::vector<std::uint8_t> bytes = untrained(*kind, random);
  Network network = *Network::view(bytes);
  train(bytes, network.head(), draw(*kind, network, random));
  double right = accuracy(*kind, network, random);
  if (right < kAccuracyMin) {
    std::cerr << "train: of " << name << " only " << right * 100 << " % are told apart\n";
    return 1;
  }
  std::ofstream(out + ".model", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  std::ofstream header(out + ".h");
  header << "// Written by train: the " << name << " model.\n"
         << "#pragma once\n"
         << "#pragma clang diagnostic ignored \"-Wc23-extensions\"\n"
         << "inline constexpr char kName[] = \"" << name << "\";\n"
         << "inline constexpr char kSha256[] =\n    \"" << weft::sha256_hex(bytes) << "\";\n"
         << "inline constexpr unsigned char kState[] = {\n"
         << "#embed \"" << name << ".model\"\n};\n";
  header.close();
  if (!header) {
    std::cerr << "train: cannot write " << out << ".model and .h\n";
    return 1;
  }
  std::printf("%s: %zu bytes, %.1f %% of %zu new images told apart\n", std::string(name).c_str(),
              bytes.size(), right * 100, kImagesOfClass * kind->labels.size());
  return 0;
}

}  // namespace
}  // namespace example

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "train textures|colours OUT\n";
    return 2;
  }
  return example::run(argv[1], argv[2]);
}
