#include "io/http/exchange.h"

#include <algorithm>
#include <cstring>

namespace weft {

std::size_t HttpExchange::read_body(std::span<std::uint8_t> into) {
  std::size_t copied = 0;
  while (copied < into.size()) {
    BytesView bytes = body();
    if (bytes.empty()) break;
    std::size_t count = std::min(bytes.size(), into.size() - copied);
    std::memcpy(into.data() + copied, bytes.data(), count);
    copied += count;
    consume_body(count);
  }
  return copied;
}

}  // namespace weft
