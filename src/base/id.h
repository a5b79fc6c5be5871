#pragma once

#include <cstdint>
#include <string>

namespace weft {

// Numbers for requests and runs: each generator starts somewhere random and counts, so that ids of
// several loops, processes and hosts do not meet in a log. Never 0. One thread each.
class IdGenerator {
 public:
  IdGenerator();
  explicit IdGenerator(std::uint64_t start) : next_(start) {}

  std::uint64_t next() {
    if (next_ == 0) ++next_;
    return next_++;
  }

 private:
  std::uint64_t next_;
};

// Sixteen hexadecimal digits.
std::string id_text(std::uint64_t id);

}  // namespace weft
