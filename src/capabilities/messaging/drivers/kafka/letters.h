#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/kafka/site.h"

namespace weft::messaging::kafka {

// Dead letters of one group that are told of: the last so many. Kafka keeps what the topic's own
// retention says.
inline constexpr std::int64_t kLettersMax = 500;
// Records of their topic among which they are looked for, from its end: letters that are done, and
// the marks that say so, are among them too.
inline constexpr std::int64_t kLetterRecordsMax = 8 * kLettersMax;
// Groups whose dead letters are told of.
inline constexpr std::size_t kLetterTopicsMax = 256;

// The first of them, of each group, at most so many.
Answer<std::vector<DeadLetter>> letters(Site& site, Request request, std::size_t most);

// Has it brought to its group again: `Broker::replay`.
Answer<void> replay(Site& site, Request request, std::string group, std::uint64_t number);

// Ends, when it goes at the latest, that a dead letter is being brought again.
class Replaying {
 public:
  Replaying(std::shared_ptr<Place> place, std::string group, std::uint64_t number)
      : place_(std::move(place)), group_(std::move(group)), number_(number) {}
  Replaying(Replaying&& other) noexcept = default;
  ~Replaying() { end(); }

  void end() {
    if (place_ != nullptr) place_->replays.end(group_, number_);
    place_ = nullptr;
  }
  // Somebody else ends it.
  void leave() { place_ = nullptr; }

 private:
  std::shared_ptr<Place> place_;  // Shared by all loops; null: it is over.
  std::string group_;
  std::uint64_t number_;
};

}  // namespace weft::messaging::kafka
