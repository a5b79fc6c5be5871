#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/check.h"
#include "capabilities/capability.h"

namespace weft {

// What a capability offers, each offer beside the function that makes its provider: one table, so
// that no order has to agree with another. A constant of the capability's source.
template <class Make, std::size_t kCount>
class OfferTable {
 public:
  struct Row {
    Offer offer;
    Make make;
  };

  constexpr explicit OfferTable(const Row (&rows)[kCount]) {
    for (std::size_t i = 0; i < kCount; ++i) {
      offers_[i] = rows[i].offer;
      makers_[i] = rows[i].make;
    }
  }

  constexpr std::span<const Offer> offers() const { return offers_; }
  // What makes the provider of one of offers().
  Make maker(const Offer& offer) const {
    auto index = static_cast<std::size_t>(&offer - offers_.data());
    CHECK(index < kCount);
    return makers_[index];
  }

 private:
  std::array<Offer, kCount> offers_{};
  std::array<Make, kCount> makers_{};
};

}  // namespace weft
