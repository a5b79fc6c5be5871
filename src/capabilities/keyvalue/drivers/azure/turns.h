#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "io/task.h"
#include "remote/http/signal.h"

namespace weft::keyvalue::azure {

// Writes of one loop to one bucket that wait for their turn or are being made, and their bytes.
inline constexpr std::size_t kWritesMax = 131'072;
inline constexpr std::size_t kWritesBytesMax = 256UL << 20;

// The order of a loop's writes: those of one key are made one after the other, as they were asked
// for. Shared by whoever writes. On one loop.
class Turns : public std::enable_shared_from_this<Turns> {
 public:
  explicit Turns(Loop& loop) : loop_(loop) {}

  // A place in the row of a key, from when it is taken until it is dropped.
  class Turn {
   public:
    Turn(Turn&&) noexcept = default;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

    // Returns when those before it have left. kTimeout at the deadline, also when it has passed.
    Task<void> come(Deadline deadline);

   private:
    friend class Turns;
    struct Place {
      Place(Loop& loop, std::string of, std::size_t holds)
          : key(std::move(of)), bytes(holds), signal(loop) {}
      const std::string key;
      const std::size_t bytes;
      remote::Signal signal;
    };
    Turn(std::shared_ptr<Turns> turns, std::unique_ptr<Place> place)
        : turns_(std::move(turns)), place_(std::move(place)) {}

    std::shared_ptr<Turns> turns_;
    std::unique_ptr<Place> place_;  // Null: moved from.
  };

  // kLimit where too much waits.
  Result<Turn> take(std::string key, std::size_t bytes);

 private:
  void leave(const Turn::Place& place);

  Loop& loop_;
  std::map<std::string, std::deque<Turn::Place*>, std::less<>> rows_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace weft::keyvalue::azure
