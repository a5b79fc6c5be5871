#include "capabilities/keyvalue/drivers/azure/turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/loop.h"

namespace weft::keyvalue::azure {

Turns::Turn::~Turn() {
  if (place_ != nullptr) turns_->leave(*place_);
}

Task<void> Turns::Turn::come(Deadline deadline) {
  while (turns_->rows_.find(place_->key)->second.front() != place_.get()) {
    auto called = co_await place_->signal.wait(deadline);
    if (!called && called.error().code() != Errc::kTimeout) co_return called;
    if (!called) break;
  }
  if (!deadline.passed()) co_return Result<void>();
  co_return failure(Errc::kTimeout, "the deadline passed before it was written");
}

Result<Turns::Turn> Turns::take(std::string key, std::size_t bytes) {
  if (count_ >= kWritesMax || bytes_ + bytes > kWritesBytesMax) {
    return failure(Errc::kLimit, fmt::format("Azure Blob: {} writes wait already", count_));
  }
  auto place = std::make_unique<Turn::Place>(loop_, std::move(key), bytes);
  rows_[place->key].push_back(place.get());
  ++count_;
  bytes_ += bytes;
  return Turn(shared_from_this(), std::move(place));
}

void Turns::leave(const Turn::Place& place) {
  auto row = rows_.find(place.key);
  bool was_first = row->second.front() == &place;
  std::erase(row->second, &place);
  --count_;
  bytes_ -= place.bytes;
  if (row->second.empty()) {
    rows_.erase(row);
  } else if (was_first && loop_.on_this_loop()) {
    // Not where the loop ends, and takes those who wait along.
    row->second.front()->signal.raise();
  }
}

}  // namespace weft::keyvalue::azure
