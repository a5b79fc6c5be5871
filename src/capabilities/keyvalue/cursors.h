#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace weft::keyvalue {

// Numbers that stand for a driver's cursors: 0.2.0-draft has them as u64. One table per bucket
// handle; the oldest number is forgotten when there are too many.
class Cursors {
 public:
  static constexpr std::size_t kCursorsMax = 64;

  std::uint64_t keep(std::string cursor) {
    if (cursors_.size() == kCursorsMax) {
      cursors_.pop_front();
      ++first_;
    }
    cursors_.push_back(std::move(cursor));
    return first_ + cursors_.size() - 1;
  }

  // Nothing for a number that was never given out or is forgotten.
  std::optional<std::string_view> find(std::uint64_t number) const {
    if (number < first_ || number - first_ >= cursors_.size()) return std::nullopt;
    return cursors_[number - first_];
  }

 private:
  std::deque<std::string> cursors_;
  std::uint64_t first_ = 1;
};

}  // namespace weft::keyvalue
