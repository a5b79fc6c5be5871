#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

namespace weft::node {

inline constexpr std::size_t kSignatureBytes = 64;
using Signature = std::array<std::uint8_t, kSignatureBytes>;

// Who somebody is: an Ed25519 public key. In text 64 hexadecimal digits.
struct PublicKey {
  static constexpr std::size_t kBytes = 32;
  std::array<std::uint8_t, kBytes> bytes{};

  static Result<PublicKey> parse(std::string_view text);
  // `bytes` has kBytes.
  static PublicKey from(BytesView bytes);

  std::string text() const;
  BytesView view() const { return bytes; }
  // Whether the key's owner signed `message`. From any thread.
  bool verify(BytesView message, BytesView signature) const;

  auto operator<=>(const PublicKey&) const = default;
};

struct HashOfKey {
  std::size_t operator()(const PublicKey& key) const;
};

// The private half. Wiped when it goes; in no message and no log.
class SigningKey {
 public:
  static constexpr std::size_t kSeedBytes = 32;

  static SigningKey random();
  // The 32 bytes that a key file has. kInvalid for another length.
  static Result<SigningKey> from_seed(const Secret& seed);

  const PublicKey& public_key() const { return public_; }
  Signature sign(BytesView message) const;
  // For key files and for the certificate that is made of it.
  std::string_view seed() const { return private_.reveal().substr(0, kSeedBytes); }

 private:
  SigningKey() = default;

  PublicKey public_;
  Secret private_;  // Seed and public key, as libsodium has it.
};

}  // namespace weft::node
