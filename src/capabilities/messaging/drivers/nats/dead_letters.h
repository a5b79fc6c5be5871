#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "capabilities/messaging/broker.h"

namespace weft::messaging::nats {

// Dead letters of one group, in memory: so many, and their bytes. The oldest go.
inline constexpr std::size_t kLettersMax = 500;
inline constexpr std::size_t kLettersBytesMax = 16UL << 20;

// The dead letters of a broker whose server keeps none, for as long as the host runs. From any
// thread.
class DeadLetters {
 public:
  void add(DeadLetter letter);
  std::vector<DeadLetter> first(std::size_t most) const;

 private:
  struct Letters {
    std::deque<DeadLetter> kept;
    std::size_t bytes = 0;
  };
  static std::size_t size(const DeadLetter& letter);

  mutable std::mutex mutex_;
  std::map<std::string, Letters> groups_;  // Guarded.
};

}  // namespace weft::messaging::nats
