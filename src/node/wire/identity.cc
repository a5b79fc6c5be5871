#include "node/wire/identity.h"

#include <fmt/core.h>

#include <array>

#include "node/object/hash.h"
#include "remote/base64.h"

namespace weft::node::wire {
namespace {

// A public key of Ed25519 in DER begins with this (RFC 8410).
constexpr std::array<std::uint8_t, 12> kDerHead{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

}  // namespace

std::shared_ptr<TlsContext> tls_of(const SigningKey& key) {
  return TlsContext::of_key(Secret(std::string(key.seed())), "weft node");
}

std::string pin_of(const PublicKey& key) {
  Hasher hasher;
  hasher.add(kDerHead);
  hasher.add(key.view());
  return fmt::format("sha256//{}", remote::base64(hasher.finish().view()));
}

}  // namespace weft::node::wire
