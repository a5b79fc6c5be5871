#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weft::keyvalue::dynamodb {

// The order of one loop's writes to one bucket: those that have a key in common are made one after
// the other, in the order in which they came; all others at the same time.
//
// On one thread. Who has begun leaves, or goes together with the whole.
class Turns {
 public:
  using Number = std::uint64_t;
  using Begin = std::move_only_function<void(Number)>;

  // Calls `begin` once, with the number to leave by, when everything that came before with one of
  // these keys has left: inside this call, or inside that `leave`. Each key stands there once.
  void enter(std::vector<std::string> keys, Begin begin);
  void leave(Number number);

  // Those that have not left.
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::vector<std::string> keys;
    std::size_t waits_for = 0;  // Keys that another has before it.
    Begin begin;
  };

  Number next_ = 0;
  std::unordered_map<Number, Entry> entries_;
  std::unordered_map<std::string, std::deque<Number>> lines_;
};

}  // namespace weft::keyvalue::dynamodb
