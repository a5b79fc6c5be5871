#include "node/object/key.h"

#include <fmt/core.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "node/object/hash.h"

namespace weft::node {
namespace {

static_assert(PublicKey::kBytes == crypto_sign_PUBLICKEYBYTES);
static_assert(SigningKey::kSeedBytes == crypto_sign_SEEDBYTES);
static_assert(kSignatureBytes == crypto_sign_BYTES);

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

}  // namespace

PublicKey PublicKey::from(BytesView bytes) {
  CHECK(bytes.size() == kBytes);
  PublicKey key;
  std::ranges::copy(bytes, key.bytes.begin());
  return key;
}

Result<PublicKey> PublicKey::parse(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != kBytes) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" is no key: write its 64 digits of 0-9a-f, "
                                               "as `weft key show` prints them",
                                               text.substr(0, 80)));
  }
  return from(*bytes);
}

std::string PublicKey::text() const {
  return hex(bytes);
}

bool PublicKey::verify(BytesView message, BytesView signature) const {
  if (signature.size() != kSignatureBytes) return false;
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     bytes.data()) == 0;
}

std::size_t HashOfKey::operator()(const PublicKey& key) const {
  std::size_t value = 0;
  std::memcpy(&value, key.bytes.data(), sizeof value);
  return value;
}

SigningKey SigningKey::random() {
  CHECK(sodium_init() >= 0);
  std::string seed(kSeedBytes, '\0');
  randombytes_buf(seed.data(), seed.size());
  return *from_seed(Secret(std::move(seed)));
}

Result<SigningKey> SigningKey::from_seed(const Secret& seed) {
  CHECK(sodium_init() >= 0);
  if (seed.reveal().size() != kSeedBytes) {
    return failure(Errc::kInvalid, fmt::format("an Ed25519 key has {} bytes", kSeedBytes));
  }
  SigningKey key;
  std::string pair(crypto_sign_SECRETKEYBYTES, '\0');
  CHECK(crypto_sign_seed_keypair(key.public_.bytes.data(),
                                 reinterpret_cast<std::uint8_t*>(pair.data()),
                                 bytes_of(seed.reveal())) == 0);
  key.private_ = Secret(std::move(pair));
  return key;
}

Signature SigningKey::sign(BytesView message) const {
  Signature signature;
  CHECK(crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                             bytes_of(private_.reveal())) == 0);
  return signature;
}

}  // namespace weft::node
