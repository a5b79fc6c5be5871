#include "capabilities/messaging/drivers/jetstream/receipt.h"

#include <charconv>
#include <vector>

namespace weft::messaging::jetstream {
namespace {

constexpr std::string_view kBegin = "$JS.ACK.";
constexpr std::size_t kPartsMax = 16;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Receipt> read_receipt(std::string_view subject) {
  if (!subject.starts_with(kBegin)) return std::nullopt;
  subject.remove_prefix(kBegin.size());
  std::vector<std::string_view> parts;
  while (parts.size() < kPartsMax) {
    std::size_t dot = subject.find('.');
    parts.push_back(subject.substr(0, dot));
    if (dot == std::string_view::npos) break;
    subject.remove_prefix(dot + 1);
  }
  // STREAM CONSUMER DELIVERIES SEQUENCE ..., or DOMAIN ACCOUNT before them.
  std::size_t at = parts.size() == 7 ? 2 : 4;
  if (parts.size() != 7 && parts.size() < 9) return std::nullopt;
  auto deliveries = number(parts[at]);
  auto sequence = number(parts[at + 1]);
  if (!deliveries || !sequence) return std::nullopt;
  return Receipt{*deliveries, *sequence};
}

}  // namespace weft::messaging::jetstream
