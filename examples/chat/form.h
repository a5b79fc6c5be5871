// Pairs of names and values as a browser's form sends them: "name=Ann&text=Hi+all". A message
// travels and is kept as one too.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "weft/http.h"

namespace chat {

// The value of a field, decoded; nothing when it is not there.
inline std::optional<std::string> field(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    std::string_view pair = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(form.size(), pair.size() + 1));
    std::size_t cut = pair.find('=');
    if (cut == pair.npos || pair.substr(0, cut) != name) continue;
    return weft::http::decode(pair.substr(cut + 1), true);
  }
  return std::nullopt;
}

inline void add_field(std::string& form, std::string_view name, std::string_view value) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  if (!form.empty()) form += '&';
  form += name;
  form += '=';
  for (char c : value) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.' || c == '_';
    auto byte = static_cast<unsigned char>(c);
    if (plain) {
      form += c;
    } else {
      form += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
}

}  // namespace chat
