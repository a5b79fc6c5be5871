#include "remote/nats/nkey.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "remote/base64.h"

namespace weft::remote::nats {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::uint8_t kSeedPrefix = 18 << 3;
constexpr std::uint8_t kUserPrefix = 20 << 3;
// Two bytes of kind, 32 of the seed, two of the checksum.
constexpr std::size_t kSeedBytes = 2 + crypto_sign_SEEDBYTES + 2;
constexpr std::size_t kSeedLetters = 58;

std::optional<std::string> from_base32(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  std::uint32_t value = 0;
  for (char c : text) {
    std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 5 | static_cast<std::uint32_t>(digit);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(value >> bits & 0xff));
  }
  return out;
}

std::string to_base32(std::string_view bytes) {
  std::string out;
  unsigned bits = 0;
  std::uint32_t value = 0;
  for (char c : bytes) {
    value = value << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 5; bits -= 5) out.push_back(kAlphabet[value >> (bits - 5) & 31]);
  }
  if (bits > 0) out.push_back(kAlphabet[value << (5 - bits) & 31]);
  return out;
}

// CRC-16 as XMODEM has it.
std::uint16_t checksum(std::string_view bytes) {
  std::uint16_t crc = 0;
  for (char c : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ static_cast<unsigned char>(c) << 8);
    for (int i = 0; i < 8; ++i) {
      crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
    }
  }
  return crc;
}

std::unexpected<Error> no_seed() {
  return failure(Errc::kInvalid, "the nkey is no seed of a user: it begins with SU");
}

// The line behind the one that says -----BEGIN `what`-----.
std::string_view section(std::string_view text, std::string_view what) {
  std::size_t at = text.find(what);
  if (at == std::string_view::npos) return {};
  std::size_t begin = text.find('\n', at);
  if (begin == std::string_view::npos) return {};
  std::string_view line = text.substr(begin + 1);
  line = line.substr(0, line.find('\n'));
  while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<Nkey> Nkey::from_seed(std::string_view seed) {
  CHECK(sodium_init() >= 0);
  if (seed.size() != kSeedLetters) return no_seed();
  auto decoded = from_base32(seed);
  if (!decoded) return no_seed();
  Secret bytes(*std::move(decoded));
  std::string_view raw = bytes.reveal();
  auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(raw[i]); };
  std::uint8_t kind = static_cast<std::uint8_t>((at(0) & 7) << 5 | at(1) >> 3);
  std::uint16_t sum = static_cast<std::uint16_t>(at(kSeedBytes - 2) | at(kSeedBytes - 1) << 8);
  if ((at(0) & 0xf8) != kSeedPrefix || kind != kUserPrefix ||
      sum != checksum(raw.substr(0, kSeedBytes - 2))) {
    return no_seed();
  }
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> open{};
  std::string closed(crypto_sign_SECRETKEYBYTES, '\0');
  crypto_sign_seed_keypair(open.data(), reinterpret_cast<std::uint8_t*>(closed.data()),
                           reinterpret_cast<const std::uint8_t*>(raw.data()) + 2);
  Nkey key;
  key.public_.assign(open.begin(), open.end());
  key.private_ = Secret(std::move(closed));
  return key;
}

std::string Nkey::public_key() const {
  std::string bytes(1, static_cast<char>(kUserPrefix));
  bytes += public_;
  std::uint16_t sum = checksum(bytes);
  bytes.push_back(static_cast<char>(sum & 0xff));
  bytes.push_back(static_cast<char>(sum >> 8));
  return to_base32(bytes);
}

std::string Nkey::sign(std::string_view nonce) const {
  std::array<std::uint8_t, crypto_sign_BYTES> signature{};
  crypto_sign_detached(signature.data(), nullptr,
                       reinterpret_cast<const std::uint8_t*>(nonce.data()), nonce.size(),
                       reinterpret_cast<const std::uint8_t*>(private_.reveal().data()));
  std::string text = base64(signature);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

Result<Credentials> parse_credentials(std::string_view text) {
  Credentials found{Secret(std::string(section(text, "-BEGIN NATS USER JWT-"))),
                    Secret(std::string(section(text, "-BEGIN USER NKEY SEED-")))};
  if (found.jwt.reveal().empty() || found.seed.reveal().empty()) {
    return failure(Errc::kInvalid,
                   "it is no file of NATS credentials: it has a user's JWT and seed");
  }
  TRY_VOID(Nkey::from_seed(found.seed.reveal()));
  return found;
}

}  // namespace weft::remote::nats
