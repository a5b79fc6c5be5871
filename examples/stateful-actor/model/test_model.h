#pragma once

// For tests: a small model.

#include <cstring>
#include <vector>

#include "model/network.h"

namespace example {

// A model of random weights.
inline std::vector<std::uint8_t> some_model() {
  Head head{.filters = 3, .classes = 2};
  head.mean = {0.5F, 0.4F, 0.3F};
  head.deviation = {0.25F, 0.5F, 1.0F};
  Random random(1);
  std::vector<float> weights(head.weights());
  for (float& each : weights) each = static_cast<float>(random.between(-0.2, 0.2));
  std::vector<std::uint8_t> bytes(head.file_bytes());
  std::memcpy(bytes.data(), &head, sizeof(head));
  std::memcpy(&bytes[sizeof(head)], weights.data(), weights.size() * sizeof(float));
  std::memcpy(&bytes[bytes.size() - 2 * Head::kLabelBytes], "one", 3);
  std::memcpy(&bytes[bytes.size() - Head::kLabelBytes], "a label of 16 by", Head::kLabelBytes);
  return bytes;
}

}  // namespace example
