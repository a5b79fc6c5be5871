#include "capabilities/keyvalue/bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace weft::keyvalue {
namespace {

std::unexpected<Error> too_many(std::size_t count) {
  return failure(Errc::kInvalid, fmt::format("a batch of {} keys: at most {} go in one call", count,
                                             kBatchKeysMax));
}

std::unexpected<Error> too_large(std::size_t bytes) {
  return failure(Errc::kInvalid, fmt::format("a batch of {} bytes: at most {} go in one call",
                                             bytes, kBatchBytesMax));
}

}  // namespace

Result<void> check_bucket(BucketName name) {
  if (name.owner.size() > kBucketNameBytesMax || name.name.size() > kBucketNameBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("a bucket name of {} bytes: at most {} are allowed",
                               std::max(name.owner.size(), name.name.size()), kBucketNameBytesMax));
  }
  return {};
}

Result<void> check_key(std::string_view key) {
  if (key.size() <= kKeyBytesMax) return {};
  return failure(Errc::kInvalid, fmt::format("a key of {} bytes: at most {} are allowed",
                                             key.size(), kKeyBytesMax));
}

Result<void> check_value(BytesView value) {
  if (value.size() <= kValueBytesMax) return {};
  return failure(Errc::kInvalid, fmt::format("a value of {} bytes: at most {} are allowed",
                                             value.size(), kValueBytesMax));
}

Result<void> check_batch(const std::vector<std::string_view>& keys) {
  if (keys.size() > kBatchKeysMax) return too_many(keys.size());
  for (auto key : keys) TRY_VOID(check_key(key));
  return {};
}

Result<void> check_batch(const std::vector<Pair>& pairs) {
  if (pairs.size() > kBatchKeysMax) return too_many(pairs.size());
  std::size_t bytes = 0;
  for (const auto& [key, value] : pairs) {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    bytes += key.size() + value.size();
  }
  if (bytes > kBatchBytesMax) return too_large(bytes);
  return {};
}

Error answer_too_large() {
  return {Errc::kInvalid,
          fmt::format("the answer takes more than {} bytes: ask for fewer keys", kBatchBytesMax)};
}

Result<std::int64_t> read_counter(BytesView value) {
  auto text = as_text(value);
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return failure(
      Errc::kInvalid,
      fmt::format("the value ({} bytes) is no decimal number from {} to {}: it cannot be "
                  "incremented",
                  value.size(), std::numeric_limits<std::int64_t>::min(),
                  std::numeric_limits<std::int64_t>::max()));
}

Bytes write_counter(std::int64_t value) {
  return to_bytes(fmt::to_string(value));
}

Result<std::int64_t> add_counter(std::int64_t value, std::int64_t delta) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(value, delta, &sum)) return sum;
  return failure(Errc::kInvalid,
                 fmt::format("{} and {} more does not fit in 64 bits: the counter is unchanged",
                             value, delta));
}

}  // namespace weft::keyvalue
