#pragma once

// What the tests of values share.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "base/hex.h"
#include "values/json.h"
#include "values/type.h"
#include "values/wave.h"

namespace weft::testing {

inline Type type_of(std::string_view text) {
  auto type = parse_type(text);
  EXPECT_TRUE(type) << text << ": " << type.error().message();
  return type ? *type : Type{};
}

inline Signature signature_of(std::string_view text) {
  auto signature = parse_signature(text);
  EXPECT_TRUE(signature) << text << ": " << signature.error().message();
  return signature ? *signature : Signature{};
}

using weft::hex;

// The bytes, or what was wrong, in one text that a test compares.
template <class T>
std::string shown(const Result<T>& result) {
  if (!result) return result.error().message();
  if constexpr (std::is_same_v<T, Bytes>) return hex(*result);
  if constexpr (std::is_same_v<T, std::string>) return *result;
}

inline std::string wave(std::string_view type, std::string_view text) {
  return shown(value_from_wave(type_of(type), text));
}
inline std::string json(std::string_view type, std::string_view text) {
  return shown(value_from_json(type_of(type), text));
}

}  // namespace weft::testing
