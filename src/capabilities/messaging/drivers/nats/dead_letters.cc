#include "capabilities/messaging/drivers/nats/dead_letters.h"

#include <utility>

namespace weft::messaging::nats {

void DeadLetters::add(DeadLetter letter) {
  std::lock_guard hold(mutex_);
  Letters& letters = groups_[letter.group];
  letters.bytes += letter.message.data.size();
  letters.kept.push_back(std::move(letter));
  while (letters.kept.size() > kLettersMax || letters.bytes > kLettersBytesMax) {
    letters.bytes -= letters.kept.front().message.data.size();
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
