#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/replays.h"
#include "capabilities/messaging/turns.h"

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
  std::optional<DeadLetter> find(const std::string& group, std::uint64_t number) const;
  void erase(const std::string& group, std::uint64_t number);

 private:
  struct Letters {
    std::deque<DeadLetter> kept;
    std::size_t bytes = 0;
  };
  static std::size_t size(const DeadLetter& letter);

  mutable std::mutex mutex_;
  std::uint64_t last_number_ = 0;          // Guarded.
  std::map<std::string, Letters> groups_;  // Guarded.
};

// As Broker::replay: gives the letter to the queue whose turn it is, as a message with a number of
// its own.
Result<void> pass_letter(const DeadLetters& dead, Replays& replays, Turns& turns,
                         const std::string& group, std::uint64_t number);

}  // namespace weft::messaging::nats
