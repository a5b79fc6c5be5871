#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/sensor/intake.h"
#include "capabilities/sensor/source.h"

namespace weft::sensor {

// What one subscription has: what comes of a pattern waits by its policy until it is taken, so that
// who is slow holds up nobody. On one loop.
class Feed {
 public:
  // `news` is called from the loop when something may be taken, once until that was done; it may be
  // the feed's end. Names have `space` before them again. `room`: see Intake.
  static Result<std::unique_ptr<Feed>> open(Loop& loop, Source& source, std::string_view pattern,
                                            Policy policy, std::function<void()> news,
                                            std::shared_ptr<Room> room = nullptr);
  ~Feed();
  Feed(const Feed&) = delete;

  std::vector<Measurement> take(std::size_t most);
  // Whether something may be taken now.
  bool any() const;
  std::size_t waiting() const;

 private:
  struct State;
  explicit Feed(std::shared_ptr<State> state);

  const std::shared_ptr<State> state_;  // What was posted has it weakly.
  std::unique_ptr<Watching> watching_;
};

}  // namespace weft::sensor
