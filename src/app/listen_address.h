#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft {

// Where something listens.
struct ListenAddress {
  std::string address = "127.0.0.1";  // An IPv4 or IPv6 address, without brackets.
  std::uint16_t port = 8080;          // 0: any free one.

  // "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; "8080" is on 127.0.0.1. kInvalid otherwise;
  // the message says what to write.
  static Result<ListenAddress> parse(std::string_view text);

  // As parse takes it.
  std::string text() const;
  // Whether both cannot be listened at: a port that is chosen is one's own.
  bool overlaps(const ListenAddress& other) const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

}  // namespace weft
