#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hex.h"

struct evp_md_ctx_st;

namespace weft::node {

// A SHA-256: the name of a module, of arguments, of a request.
struct Hash {
  static constexpr std::size_t kBytes = 32;
  std::array<std::uint8_t, kBytes> bytes{};

  static Hash of(BytesView bytes);
  // 64 hexadecimal digits; kInvalid for anything else.
  static Result<Hash> parse(std::string_view text);
  // `bytes` has kBytes.
  static Hash from(BytesView bytes);

  std::string text() const;
  BytesView view() const { return bytes; }

  auto operator<=>(const Hash&) const = default;
};

struct HashOfHash {
  std::size_t operator()(const Hash& hash) const {
    std::size_t value = 0;
    std::memcpy(&value, hash.bytes.data(), sizeof value);
    return value;
  }
};

// The hash of what comes in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(BytesView bytes);
  // Of everything that was added; begins anew.
  Hash finish();

 private:
  evp_md_ctx_st* context_;
};

}  // namespace weft::node
