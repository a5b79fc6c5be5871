#include "capabilities/messaging/drivers/nats/dead_letters.h"

#include <utility>

namespace weft::messaging::nats {

std::size_t DeadLetters::size(const DeadLetter& letter) {
  return letter.reason.size() + size_of(letter.message);
}

void DeadLetters::add(DeadLetter letter) {
  std::lock_guard hold(mutex_);
  Letters& letters = groups_[letter.group];
  letters.bytes += size(letter);
  letters.kept.push_back(std::move(letter));
  while (letters.kept.size() > kLettersMax || letters.bytes > kLettersBytesMax) {
    letters.bytes -= size(letters.kept.front());
    letters.kept.pop_front();
  }
}

std::vector<DeadLetter> DeadLetters::first(std::size_t most) const {
  std::lock_guard hold(mutex_);
  std::vector<DeadLetter> first;
  for (const auto& [group, letters] : groups_) {
    for (const DeadLetter& letter : letters.kept) {
      if (first.size() == most) return first;
      first.push_back(letter);
    }
  }
  return first;
}

}  // namespace weft::messaging::nats
