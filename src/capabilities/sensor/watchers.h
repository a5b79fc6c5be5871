#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/sensor/source.h"

namespace weft::sensor {

// Who watches the sensors of one source: what all drivers' sources have of it. On one loop.
class Watchers {
 public:
  // `keep` stays as long as the watch does: the source, as a rule. kLimit.
  Result<std::unique_ptr<Watching>> add(std::string pattern, Source::Taker taker,
                                        std::shared_ptr<void> keep);
  // Calls those whose pattern it fits. Any of them may end its watch meanwhile, or another's.
  void tell(const Measurement& measurement);

  bool empty();
  std::vector<std::string> patterns();

 private:
  struct Entry {
    std::string pattern;
    Source::Taker taker;
  };
  class Watch;

  void forget();

  std::vector<std::weak_ptr<Entry>> entries_;  // Owned by their watches. kWatchersMax at most.
};

}  // namespace weft::sensor
