#include "base/trace_context.h"

#include <fmt/format.h>

#include <random>

namespace weft {
namespace {

// Lower-case digits alone, as the standard has it.
std::optional<std::uint64_t> hex(std::string_view digits) {
  std::uint64_t number = 0;
  for (char digit : digits) {
    number <<= 4;
    if (digit >= '0' && digit <= '9') {
      number |= static_cast<std::uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      number |= static_cast<std::uint64_t>(digit - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return number;
}

}  // namespace

// 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
std::optional<TraceContext> parse_traceparent(std::string_view text) {
  constexpr std::size_t kSize = 55;
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  auto version = hex(text.substr(0, 2));
  if (!version || *version == 0xff) return std::nullopt;
  bool longer = text.size() > kSize;
  if (longer && (*version == 0 || text[kSize] != '-')) return std::nullopt;
  auto high = hex(text.substr(3, 16));
  auto low = hex(text.substr(19, 16));
  auto parent = hex(text.substr(36, 16));
  auto flags = hex(text.substr(53, 2));
  if (!high || !low || !parent || !flags) return std::nullopt;
  if ((*high | *low) == 0 || *parent == 0) return std::nullopt;
  // Of the flags, those that this version knows.
  auto known = static_cast<std::uint8_t>(*flags & TraceContext::kSampled);
  return TraceContext{*high, *low, *parent, 0, known};
}

std::string traceparent_text(const TraceContext& context) {
  return fmt::format("00-{}-{:016x}-{:02x}", trace_id_text(context), context.span, context.flags);
}

std::string trace_id_text(const TraceContext& context) {
  return fmt::format("{:016x}{:016x}", context.trace_high, context.trace_low);
}

TraceIds::TraceIds() : state_(0) {
  std::random_device device;
  state_ = (std::uint64_t{device()} << 32) | device();
}

}  // namespace weft
