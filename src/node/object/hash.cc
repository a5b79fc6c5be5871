#include "node/object/hash.h"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/check.h"
#include "base/hex.h"

namespace weft::node {
Hash Hash::of(BytesView bytes) {
  Hash hash;
  SHA256(bytes.data(), bytes.size(), hash.bytes.data());
  return hash;
}

Hash Hash::from(BytesView bytes) {
  CHECK(bytes.size() == kBytes);
  Hash hash;
  std::ranges::copy(bytes, hash.bytes.begin());
  return hash;
}

Result<Hash> Hash::parse(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != kBytes) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" is no hash: write its 64 digits of 0-9a-f",
                                               text.substr(0, 80)));
  }
  return from(*bytes);
}

std::string Hash::text() const {
  return hex(bytes);
}

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1);
}

Hasher::~Hasher() {
  EVP_MD_CTX_free(context_);
}

void Hasher::add(BytesView bytes) {
  CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

Hash Hasher::finish() {
  Hash hash;
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context_, hash.bytes.data(), &size) == 1 && size == Hash::kBytes);
  CHECK(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1);
  return hash;
}

}  // namespace weft::node
