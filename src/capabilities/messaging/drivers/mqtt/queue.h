#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/deliveries.h"
#include "capabilities/messaging/drivers/mqtt/site.h"

namespace weft::messaging::mqtt {

// Messages that a group holds, and their bytes. Of QoS 0 what comes beyond is dropped, counted and
// logged. Those of QoS 1 and 2 the server itself holds back, at kOpenMax; of one that does not, or
// whose messages are too large together, nothing more is read until there is room again.
inline constexpr std::size_t kPendingMax = kOpenMax;
inline constexpr std::size_t kPendingBytesMax = 64UL << 20;
// There is room again, once so many and so many bytes fit in.
inline constexpr std::size_t kRoomAgain = kReadAhead;
inline constexpr std::size_t kRoomBytesAgain = kMessageBytesMax;

// One group's messages as a shared subscription, over a connection of its own. On one loop.
//
// What it is brought is acknowledged when it is done: what is not, the server brings again to the
// next connection of that name.
class MqttQueue final : public Queue {
 public:
  MqttQueue(std::shared_ptr<Site> site, Wanted wanted, Receiver& receiver);
  ~MqttQueue() override;

  void settle(std::uint64_t id, Verdict verdict) override;
  void stop() override;
  bool idle() const override { return released_; }

 private:
  using Id = Deliveries::Id;
  // By what a message is acknowledged.
  struct Receipt {
    std::uint64_t connection = 0;
    std::uint8_t qos = 0;
    std::uint16_t packet = 0;
  };

  void take_turn();
  void given(std::vector<Left> left);
  void came(remote::mqtt::Incoming incoming);
  bool known(const remote::mqtt::Incoming& incoming);
  void forget();
  void drop(std::string_view why);
  void done(Id id);
  void go_on_if_room();
  void release_if_over();
  void release();

  const std::shared_ptr<MqttQueue*> self_;  // Null once it is gone: messages come later.
  const std::shared_ptr<Site> site_;        // Shared by the loop's brokers of that name.
  const std::string group_;
  std::shared_ptr<remote::mqtt::Client> client_;  // Shared with what it has under way.
  Beginnings::Id beginning_ = 0;
  bool stopped_ = false;
  bool released_ = false;
  std::size_t bytes_ = 0;  // Of what is held.
  std::uint64_t dropped_ = 0;
  Deadline::Clock::time_point told_{};   // Of what was dropped, last.
  std::map<Id, Receipt> receipts_;       // Of those that are held.
  std::map<Id, std::uint64_t> letters_;  // Of those too: dead letters that came again.
  std::map<std::uint16_t, Id> held_;     // By the packet's number; not those of QoS 0.
  std::set<std::uint16_t> unheard_;      // Packets that were done when their connection was gone.
  Deliveries deliveries_;
};

}  // namespace weft::messaging::mqtt
