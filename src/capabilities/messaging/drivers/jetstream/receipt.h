#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::messaging::jetstream {

// What JetStream writes into the address at which it hears what became of a message.
struct Receipt {
  std::uint64_t deliveries = 0;  // Of this message to this consumer, with this one.
  std::uint64_t sequence = 0;    // In the stream.
};

// $JS.ACK. with seven parts behind it, or, since 2.10, ten and more. Nothing: it is none.
std::optional<Receipt> read_receipt(std::string_view subject);

}  // namespace weft::messaging::jetstream
