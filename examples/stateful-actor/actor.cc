// The actor: owns a state that never changes. MODEL is the header that `train` wrote beside it.

#include MODEL

#include "guest.hpp"

namespace actor = weft::wit::example::stateful_actor_1_0_0::actor;

actor::Metadata actor::exports::get_metadata() {
  return {.name = kName, .size = sizeof(kState), .sha256 = kSha256};
}

std::expected<std::vector<std::uint8_t>, actor::Error> actor::exports::get_data() {
  return std::vector<std::uint8_t>(std::begin(kState), std::end(kState));
}
