#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace weft {

// The one of `known` that somebody who wrote `word` most likely meant: the nearest by insertions,
// deletions, exchanges and swaps of neighbours, when it is near enough to be a slip. Of several as
// near, the first. Words longer than kNearestBytesMax are like nothing.
inline constexpr std::size_t kNearestBytesMax = 64;
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known);

}  // namespace weft
