#include "base/sha256.h"

#include <openssl/sha.h>

#include <array>

#include "base/hex.h"

namespace weft {

std::string sha256_hex(BytesView bytes) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(bytes.data(), bytes.size(), digest.data());
  return hex(digest);
}

}  // namespace weft
