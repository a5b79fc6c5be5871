#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

// The bytes of a sealed file of secrets: what stands in front, then everything encrypted and
// authenticated as one (XChaCha20-Poly1305, by libsodium).
namespace weft::secrets {

inline constexpr std::size_t kSecretsMax = 10'000;
inline constexpr std::size_t kSealedBytesMax = 16 << 20;

struct SealedEntry {
  Secret value;
  std::int64_t created = 0;  // Seconds since 1970.
  std::int64_t changed = 0;
};
using SealedEntries = std::map<std::string, SealedEntry, std::less<>>;

// The key of a sealed file. Wiped when it goes.
class SealingKey {
 public:
  static constexpr std::size_t kBytes = 32;

  // A new one.
  static SealingKey random();
  // Of the text of a key file.
  static Result<SealingKey> parse(std::string_view text);

  // The text of its file.
  Secret text() const;
  // Tells keys apart and says nothing of them.
  std::array<std::uint8_t, 16> id() const;
  std::string_view bytes() const { return bytes_.reveal(); }

 private:
  explicit SealingKey(Secret bytes) : bytes_(std::move(bytes)) {}
  Secret bytes_;
};

// kLimit when there are too many, or they are too long together.
Result<Bytes> seal(const SealedEntries& entries, const SealingKey& key);
// kCorrupt: it is no such file, or not as it was sealed. kDenied: it was sealed with another key.
// The messages say what is wrong, and the caller says of which file.
Result<SealedEntries> unseal(BytesView file, const SealingKey& key);

}  // namespace weft::secrets
