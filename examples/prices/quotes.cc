// Says what things cost. Whoever imports acme:prices/quotes is served by this, in the same process.

#include "guest.hpp"

namespace quotes = weft::wit::acme::prices_1_0_0::quotes;

namespace {

std::optional<std::uint64_t> cents_of(std::string_view name) {
  if (name == "apple") return 40;
  if (name == "pear") return 55;
  return std::nullopt;
}

}  // namespace

std::expected<quotes::Quote, quotes::Refusal> quotes::exports::ask(
    std::vector<quotes::Item> items) {
  std::uint64_t total = 0;
  std::uint32_t count = 0;
  for (const quotes::Item& item : items) {
    auto cents = cents_of(item.name);
    if (!cents) return std::unexpected(quotes::Refusal::unknown(item.name));
    if (item.count > 1000) return std::unexpected(quotes::Refusal::too_many(item.count));
    total += *cents * item.count;
    count += item.count;
  }
  std::uint8_t discount = count >= 10 ? 5 : 0;
  return quotes::Quote{.total_cents = total - total * discount / 100, .discount_percent = discount};
}
