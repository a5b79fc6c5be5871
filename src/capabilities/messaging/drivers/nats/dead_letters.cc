#include "capabilities/messaging/drivers/nats/dead_letters.h"

#include <algorithm>
#include <utility>

namespace weft::messaging::nats {

std::size_t DeadLetters::size(const DeadLetter& letter) {
  return letter.reason.size() + size_of(letter.message);
}

void DeadLetters::add(DeadLetter letter) {
  std::lock_guard hold(mutex_);
  Letters& letters = groups_[letter.group];
  letter.number = ++last_number_;
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

std::optional<DeadLetter> DeadLetters::find(const std::string& group, std::uint64_t number) const {
  std::lock_guard hold(mutex_);
  auto letters = groups_.find(group);
  if (letters == groups_.end()) return std::nullopt;
  auto found = std::ranges::find(letters->second.kept, number, &DeadLetter::number);
  if (found == letters->second.kept.end()) return std::nullopt;
  return *found;
}

void DeadLetters::erase(const std::string& group, std::uint64_t number) {
  std::lock_guard hold(mutex_);
  auto letters = groups_.find(group);
  if (letters == groups_.end()) return;
  auto found = std::ranges::find(letters->second.kept, number, &DeadLetter::number);
  if (found == letters->second.kept.end()) return;
  letters->second.bytes -= size(*found);
  letters->second.kept.erase(found);
}

Result<void> pass_letter(const DeadLetters& dead, Replays& replays, Turns& turns,
                         const std::string& group, std::uint64_t number) {
  if (!replays.begin(group, number)) return failure(Errc::kConflict, being_replayed(number));
  std::optional<DeadLetter> letter = dead.find(group, number);
  std::vector<Left> left;
  if (letter) left.push_back({{turns.next_id(), std::move(letter->message)}, {}, number});
  if (letter && turns.pass(group, std::move(left)).empty()) return {};
  replays.end(group, number);
  if (!letter) return failure(Errc::kNotFound, no_letter(group, number));
  return failure(Errc::kUnavailable, no_trigger(group));
}

}  // namespace weft::messaging::nats
