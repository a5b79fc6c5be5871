#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace weft {
class Loop;
}

namespace weft::remote::nats {

// Which streams are there, for all loops of one backend: each is made by one of them, and none
// asks anything of it before it is. nats-server 2.9 ends when it is asked for a message of a stream
// that it is just making.
//
// Shared by the loops. From any thread.
class Streams : public std::enable_shared_from_this<Streams> {
 public:
  enum class State : std::uint8_t { kUnknown, kMaking, kThere };

  // The right to make one: whoever has it says what came of it, or lets it go.
  class Making {
   public:
    Making(std::shared_ptr<Streams> streams, std::string name)
        : streams_(std::move(streams)), name_(std::move(name)) {}
    Making(Making&&) = default;
    ~Making() {
      if (streams_ != nullptr) streams_->end(name_, State::kUnknown);
    }
    void made() { std::exchange(streams_, nullptr)->end(name_, State::kThere); }

   private:
    std::shared_ptr<Streams> streams_;  // Null once it said so.
    std::string name_;
  };

  // kUnknown: the caller makes it, and has `making`. kMaking: somebody does, and `told` is posted
  // to the loop when that is over, however it ended.
  State ask(const std::string& name, Loop& loop, std::function<void()> told,
            std::unique_ptr<Making>* making);
  // It is there no more.
  void lost(const std::string& name);

 private:
  struct Stream {
    State state = State::kUnknown;
    // One a loop and bucket at most.
    std::vector<std::pair<Loop*, std::function<void()>>> waiting;
  };
  void end(const std::string& name, State state);

  std::mutex mutex_;
  std::map<std::string, Stream> streams_;  // Guarded. As many as there are buckets.
};

}  // namespace weft::remote::nats
