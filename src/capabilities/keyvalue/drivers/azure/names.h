#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weft::keyvalue::azure {

// How buckets and keys are called as blobs: `PREFIX/APP/BUCKET/KEY`, in the order of the keys'
// bytes. Letters, digits and what ASCII has from `:` on stand for themselves but for `[`, which
// is `[0`, the backslash, which is `[1`, and `~`; any other byte is `!XX`, or `~XX` where it comes
// behind them. The empty key is `!`.
//
// What is longer than kSpelledMax even so ends with a hash: of keys that begin alike up to there
// the order is that of their hashes, and the key itself is kept beside the blob.
inline constexpr std::size_t kSpelledMax = 600;

// A bucket's prefix, with a slash at its end. Those of two buckets never meet.
std::string bucket_prefix(std::string_view prefix, std::string_view owner, std::string_view name);

struct Spelled {
  std::string text;
  bool hashed = false;  // The key does not follow from it.
};
Spelled spelled(std::string_view key);
// Nothing for what is no spelling of a key, or a hashed one's.
std::optional<std::string> unspelled(std::string_view text);

}  // namespace weft::keyvalue::azure
