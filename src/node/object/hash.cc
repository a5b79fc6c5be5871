#include "node/object/hash.h"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/check.h"

namespace weft::node {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

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

std::string hex(BytesView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  Bytes bytes;
  if (text.size() % 2 != 0) return failure(Errc::kInvalid, "an odd number of hexadecimal digits");
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = digit_of(text[i]);
    int low = digit_of(text[i + 1]);
    if (high < 0 || low < 0) return failure(Errc::kInvalid, "hexadecimal digits are 0-9a-f");
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

}  // namespace weft::node
