#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "capabilities/keyvalue/bucket.h"

namespace weft::keyvalue::nats {

// What a NATS bucket may be called, and its length, which is also that of a folder of the server's.
inline constexpr std::size_t kBucketBytesMax = 200;
inline constexpr std::size_t kPrefixBytesMax = 32;

// PREFIX__APP__BUCKET, with _XX for what no NATS bucket has in its name, and for `_`. One that is
// too long ends with a hash of all of it.
std::string bucket_name(std::string_view prefix, BucketName name);

// A key as NATS has them: =XX for what is not allowed there and for `=`; the empty key is `=`.
std::string escape_key(std::string_view key);
// Nothing where that is no key that `escape_key` wrote.
std::optional<std::string> unescape_key(std::string_view text);

}  // namespace weft::keyvalue::nats
