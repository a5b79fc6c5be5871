#include "remote/base64.h"

#include <array>

namespace weft::remote {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

std::unexpected<Error> wrong() {
  return failure(Errc::kCorrupt, "what the server sends is no base64");
}

}  // namespace

void append_base64(std::string& out, BytesView bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    unsigned three = static_cast<unsigned>(bytes[at]) << 16 |
                     static_cast<unsigned>(bytes[at + 1]) << 8 | bytes[at + 2];
    char four[4] = {kAlphabet[three >> 18], kAlphabet[three >> 12 & 63], kAlphabet[three >> 6 & 63],
                    kAlphabet[three & 63]};
    out.append(four, 4);
  }
  std::size_t left = bytes.size() - at;
  if (left == 0) return;
  unsigned three = static_cast<unsigned>(bytes[at]) << 16;
  if (left == 2) three |= static_cast<unsigned>(bytes[at + 1]) << 8;
  out.push_back(kAlphabet[three >> 18]);
  out.push_back(kAlphabet[three >> 12 & 63]);
  out.push_back(left == 2 ? kAlphabet[three >> 6 & 63] : '=');
  out.push_back('=');
}

std::string base64(BytesView bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

Result<Bytes> from_base64(std::string_view text) {
  Bytes out;
  if (text.size() % 4 != 0) return wrong();
  if (text.empty()) return out;
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  out.resize(text.size() / 4 * 3);
  std::size_t to = 0;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::size_t digits = at + 4 == text.size() ? 4 - padding : 4;
    unsigned three = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint8_t value = i < digits ? kValues[static_cast<unsigned char>(text[at + i])] : 0;
      if (value == kNone) return wrong();
      three = three << 6 | value;
    }
    // Bits that no byte has are zero.
    if (digits < 4 && (three & (digits == 3 ? 0xffU : 0xffffU)) != 0) return wrong();
    out[to++] = static_cast<std::uint8_t>(three >> 16);
    out[to++] = static_cast<std::uint8_t>(three >> 8);
    out[to++] = static_cast<std::uint8_t>(three);
  }
  out.resize(to - padding);
  return out;
}

}  // namespace weft::remote
