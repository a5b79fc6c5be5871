#include "base/nearest.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weft {
namespace {

// The number of slips between two words of at most kNearestBytesMax bytes.
std::size_t distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kNearestBytesMax + 1>;
  Row two_before{};
  Row before{};
  Row now{};
  for (std::size_t j = 0; j <= b.size(); ++j) before[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t exchanged = before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({before[j] + 1, now[j - 1] + 1, exchanged});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], two_before[j - 2] + 1);
    }
    two_before = before;
    before = now;
  }
  return before[b.size()];
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known) {
  std::optional<std::string_view> best;
  if (word.empty() || word.size() > kNearestBytesMax) return best;
  // A third of the word, and one slip in a short one.
  std::size_t limit = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (std::string_view each : known) {
    if (each.size() > kNearestBytesMax) continue;
    std::size_t slips = distance(word, each);
    if (slips >= limit) continue;
    limit = slips;
    best = each;
  }
  return best;
}

}  // namespace weft
