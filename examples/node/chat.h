// What the two services of the chat have in common.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "guest.h"

namespace chat {

inline std::string text(const guest_string_t& from) {
  return {reinterpret_cast<const char*>(from.ptr), from.len};
}

// Lent for a call.
inline guest_string_t lent(std::string_view from) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(from.data())), from.size()};
}

// The caller's from now on.
inline guest_string_t given(std::string_view from) {
  auto* copy = static_cast<std::uint8_t*>(std::malloc(from.size() + 1));
  std::memcpy(copy, from.data(), from.size());
  return {copy, from.size()};
}

// A name is anybody's to take, the digits of the key are not.
inline std::string signed_name(std::string_view name) {
  constexpr std::size_t kDigits = 8;
  guest_string_t key{};
  weft_node_requester_key(&key);
  std::string shown = std::string(name) + "/" + text(key).substr(0, kDigits);
  guest_string_free(&key);
  return shown;
}

}  // namespace chat
