#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/deliveries.h"
#include "capabilities/messaging/drivers/rabbitmq/acks.h"
#include "capabilities/messaging/drivers/rabbitmq/site.h"
#include "io/timer.h"

namespace weft::messaging::rabbitmq {

// Messages that a group's queue keeps; then publishing is refused.
inline constexpr std::int64_t kMessagesMax = 1'000'000;
// Dead letters of one group; the oldest go.
inline constexpr std::int64_t kLettersMax = 500;
// A group that nobody listens for is forgotten, with what waits for it.
inline constexpr std::chrono::hours kGroupKept{7 * 24};
// What the server may send ahead of the messages that may be out: so many times as those, so that
// it need not wait for an acknowledgement, kReadAhead at least and so many at most.
inline constexpr std::size_t kAheadTimes = 4;
inline constexpr std::size_t kAheadMax = 512;
static_assert(kConcurrencyMax + kAheadMax <= kOpenMax);
// Messages that are done and whose acknowledgement may be lost, which are known again for a while.
inline constexpr std::size_t kUnheardMax = 4'096;
// How long a queue that stops waits for the server to have done with its acknowledgements.
inline constexpr std::chrono::seconds kStopTime{5};

// One group's messages out of its queue at the server, by a channel of its own. On one loop.
//
// What it is brought it acknowledges when it is done, and holds until then: also what failed and
// waits, so that it keeps its place before the later ones of its key. When the channel ends the
// server brings all of that again; what is still held here is known by its id.
class RabbitQueue final : public Queue, private remote::amqp::ChannelOwner {
 public:
  RabbitQueue(std::shared_ptr<Site> site, Wanted wanted, Receiver& receiver);
  ~RabbitQueue() override;

  void settle(std::uint64_t id, Verdict verdict) override;
  void stop() override;
  bool idle() const override { return released_; }

 private:
  using Id = Deliveries::Id;
  // By what a message is acknowledged, and known again.
  struct Receipt {
    std::uint64_t opening = 0;  // Of the channel: which of them.
    std::uint64_t tag = 0;
    std::string id = {};  // Empty: none of weft's.
  };

  void opened() override;
  void closed(const Error& error) override;
  void came(remote::amqp::Incoming message) override;
  void cancelled(const std::string& consumer) override;

  void is_there();
  void begin();
  void consume(std::size_t more);
  void ask_for_more();
  bool known(const remote::amqp::Incoming& message, const Receipt& receipt);
  void acknowledge(const Receipt& receipt);
  void write_acks();
  unsigned attempts_of(const remote::amqp::Incoming& message, const std::string& id);
  void drop(std::string_view why);
  void given(std::vector<Left> left);
  void done(Id id);
  void bury(Id id, std::string reason);
  void go_on();
  void release_if_over();
  void remember_rest();
  void release();

  const std::shared_ptr<RabbitQueue*> self_;  // Null once it is gone: answers come later.
  const std::shared_ptr<Site> site_;          // Shared by the loop's brokers of that name.
  const std::string group_;
  bool has_turn_ = false;
  Beginnings::Id beginning_ = 0;
  bool bound_ = false;
  bool stopped_ = false;
  bool closing_ = false;
  bool released_ = false;
  bool troubled_ = false;       // The last that was heard is a failure.
  std::uint64_t openings_ = 0;  // Of the channel, so far.
  std::size_t asked_for_ = 0;   // Messages that the server may send without an acknowledgement.
  std::size_t consumers_ = 0;
  std::size_t writing_ = 0;  // Dead letters on their way.
  std::uint64_t dropped_ = 0;
  Deadline::Clock::time_point told_{};   // Of what was dropped, last.
  std::map<Id, Receipt> receipts_;       // Of those that are held.
  std::map<Id, std::uint64_t> letters_;  // Of those that are dead letters, by their numbers.
  std::map<std::string, Id> held_;       // By the message's id.
  std::set<std::string> unheard_;        // The last kUnheardMax.
  std::deque<std::string> unheard_order_;
  Acks acks_;  // Written at the end of a batch.
  Deliveries deliveries_;
  Timer stop_;
  std::shared_ptr<remote::amqp::Channel> channel_;  // Shared with the client while it calls.
};

}  // namespace weft::messaging::rabbitmq
