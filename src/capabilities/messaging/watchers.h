#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "capabilities/messaging/broker.h"

namespace weft::messaging {

// Messages on their way to one who is shown them; more are skipped, and counted.
inline constexpr std::size_t kShownMax = 1'024;

// Who is shown what is published to one broker, for drivers whose server is this process. Shared by
// the loops; from any thread.
class Watchers : public std::enable_shared_from_this<Watchers> {
 public:
  // On the loop, which outlives the watch, of a checked pattern.
  std::unique_ptr<Watch> add(Loop& loop, std::string pattern, std::function<void(Message)> saw);
  // Posts it to each whose pattern it matches. Costs nothing while nobody watches.
  void show(const Message& message);

 private:
  class Place;
  struct Watcher;

  std::atomic<std::size_t> count_ = 0;
  std::mutex mutex_;
  // Guarded; shared with what was posted to their loops.
  std::map<std::uint64_t, std::shared_ptr<Watcher>> watchers_;
  std::uint64_t begun_ = 0;  // Guarded.
};

}  // namespace weft::messaging
