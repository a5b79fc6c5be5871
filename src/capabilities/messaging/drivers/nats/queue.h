#pragma once

#include <map>
#include <memory>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/deliveries.h"
#include "capabilities/messaging/drivers/nats/link.h"

namespace weft::messaging::nats {

// Messages of one group that are held here, and their bytes. What comes beyond is dropped, counted
// and logged: a server that keeps nothing cannot be held up.
inline constexpr std::size_t kPendingMax = 65'536;
inline constexpr std::size_t kPendingBytesMax = 64UL << 20;

// One group's messages as a subscription of a queue group. On one loop.
class CoreQueue final : public Queue {
 public:
  CoreQueue(std::shared_ptr<Link> link, std::shared_ptr<Space> space, Wanted wanted,
            Receiver& receiver);
  ~CoreQueue() override;

  void settle(std::uint64_t id, Verdict verdict) override;
  void stop() override;
  bool idle() const override { return released_; }

 private:
  void take_turn();
  void came(remote::nats::Message message);
  void given(std::vector<Left> left);
  // Whether there was room for it.
  bool add(Deliveries::Held held);
  void drop(std::string_view why);
  void done(std::uint64_t id);
  std::vector<Left> with_letters(std::vector<Deliveries::Held> held);
  void release_if_over();
  void release(std::vector<Left> left);

  const std::shared_ptr<CoreQueue*> self_;  // Null once it is gone: messages come later.
  const std::shared_ptr<Link> link_;        // Shared by the loop's brokers of that server.
  const std::shared_ptr<Space> space_;      // Shared by all loops.
  const std::string group_;
  std::uint64_t subscription_ = 0;
  bool stopped_ = false;
  bool released_ = false;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  Deadline::Clock::time_point told_{};  // Of what was dropped, last.
  std::map<std::uint64_t, std::uint64_t>
      letters_;  // Of what is held: dead letters that came again.
  Deliveries deliveries_;
};

}  // namespace weft::messaging::nats
