#include "base/id.h"

#include <fmt/format.h>

#include <random>

namespace weft {

IdGenerator::IdGenerator() {
  std::random_device random;
  next_ = (static_cast<std::uint64_t>(random()) << 32) | random();
}

std::string id_text(std::uint64_t id) {
  return fmt::format("{:016x}", id);
}

}  // namespace weft
