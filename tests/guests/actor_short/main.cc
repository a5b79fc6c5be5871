// An actor for examples/stateful-actor whose state is longer than it says.

#include "guest.hpp"

namespace actor = weft::wit::example::stateful_actor_1_0_0::actor;

actor::Metadata actor::exports::get_metadata() {
  return {.name = "short", .size = 100, .sha256 = std::string(64, '0')};
}

std::expected<std::vector<std::uint8_t>, actor::Error> actor::exports::get_data() {
  return std::vector<std::uint8_t>(1'000'000);
}
