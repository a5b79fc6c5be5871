#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "capabilities/messaging/deliveries.h"

namespace weft {
class Loop;
}

namespace weft::messaging {

// A message that one queue of a group leaves to the next one of this process.
struct Left {
  Deliveries::Held held;
  std::string receipt = {};  // What the driver knows it by.
  // The dead letter that it is, and stays until it is done; 0: it is none.
  std::uint64_t letter = 0;
};

// Whose turn it is among the queues of a group in this process: one at a time is brought messages,
// and leaves to the next what it held. For drivers whose server shares a group's messages among all
// who ask.
//
// Shared by the loops. From any thread.
class Turns {
 public:
  // Posted to the loop of the queue: at its turn, where that is not at once, and whenever something
  // is left to it afterwards.
  using Given = std::function<void(std::vector<Left> left)>;

  // Whether it is its turn at once.
  bool claim(const std::string& group, const void* who, Loop& loop, Given given);
  // What nobody takes over comes back.
  std::vector<Left> release(const std::string& group, const void* who, std::vector<Left> left);
  // Gives it to the one whose turn it is; it comes back where there is none.
  std::vector<Left> pass(const std::string& group, std::vector<Left> left);
  // A number for a message that has none of its server's.
  Deliveries::Id next_id() { return ++last_id_; }

 private:
  struct Claim {
    const void* who;
    Loop* loop;
    Given given;
  };

  static void give(const Claim& claim, std::vector<Left> left);

  std::atomic<Deliveries::Id> last_id_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::deque<Claim>> claims_;  // Guarded. By group; the first has its turn.
};

}  // namespace weft::messaging
