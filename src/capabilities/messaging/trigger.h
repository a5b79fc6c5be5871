#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "capabilities/messaging/body.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/waking.h"
#include "observe/meters.h"

namespace weft::messaging {

// Tries beyond the first.
inline constexpr unsigned kRetriesByDefault = 5;
inline constexpr std::chrono::milliseconds kBackoffByDefault{200};
inline constexpr std::chrono::milliseconds kBackoffMax{30'000};
// When there is no room for an instance.
inline constexpr std::chrono::milliseconds kNoRoomPause{20};

// What a handler made of a message.
struct Handled {
  bool well = true;
  bool reject = false;      // Never again.
  std::string reason = {};  // Where it is not well.
};

// A package's handler: how it is given a message, and what it returned.
struct HandlerForm {
  // What comes back lives until the call has ended; it may be null.
  std::shared_ptr<Body> (*write)(Writer& out, Loop& loop, const Message& message);
  Handled (*read)(Reader& in);
};

struct TriggerOptions {
  Wanted wanted = {};
  unsigned retries = kRetriesByDefault;
  std::chrono::milliseconds backoff = kBackoffByDefault;
  std::string dead_letter_topic = {};  // Empty: they are only kept.
};

// Calls a component for the messages of a group, and decides by what it returned. On one loop.
class MessageTrigger final : public Subscription, private Receiver {
 public:
  MessageTrigger(const Waking& waking, TriggerOptions options, HandlerForm form,
                 std::unique_ptr<Broker> broker);
  ~MessageTrigger() override;

  void stop() override { queue_->stop(); }
  bool idle() const override { return queue_->idle(); }

 private:
  struct Under;

  void deliver(Delivery delivery) override;
  void ended(const Delivery& delivery, Handled handled, Result<void> outcome);
  void send_dead(const Message& message, const std::string& reason);

  const std::shared_ptr<MessageTrigger*> self_;  // Null once it is gone: calls end later.
  Loop& loop_;
  const std::string app_;
  const std::string component_;
  HandlerCalls& calls_;
  const RunCount runs_;
  const TriggerOptions options_;
  const HandlerForm form_;
  const std::unique_ptr<Broker> broker_;
  const std::unique_ptr<Queue> queue_;  // Gone before the broker.
};

}  // namespace weft::messaging
