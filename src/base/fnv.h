#pragma once

#include <cstdint>
#include <string_view>

namespace weft {

// FNV-1a: the same for one text everywhere and always, so that it may be written down. Nothing that
// anybody chooses may depend on it: texts of one hash are easily found.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

}  // namespace weft
