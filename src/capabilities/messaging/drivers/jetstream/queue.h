#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/deliveries.h"
#include "capabilities/messaging/drivers/jetstream/stream.h"
#include "io/timer.h"

namespace weft::messaging::jetstream {

// How long the server keeps a request for messages.
inline constexpr std::chrono::seconds kPullTime{20};
// Before a message is brought again whose dead letter could not be kept: doubled up to this.
inline constexpr std::chrono::milliseconds kBuryPauseMax{30'000};
// Messages that are done and whose acknowledgement is on its way or got lost, which are known again
// for a while.
inline constexpr std::size_t kUnheardMax = 4'096;

// One group's messages out of a durable consumer, by pull. On one loop.
//
// What it is brought it holds until it is done, and says so to the server from time to time: also
// what failed and waits, so that it keeps its place before the later ones of its key.
class StreamQueue final : public Queue {
 public:
  StreamQueue(std::shared_ptr<Stream> stream, Wanted wanted, Receiver& receiver);
  ~StreamQueue() override;

  void settle(std::uint64_t id, Verdict verdict) override;
  void stop() override;
  bool idle() const override { return released_; }

 private:
  using Id = Deliveries::Id;
  struct Pull;

  void find_group();
  void given(std::vector<Left> left);
  void pull();
  void pulled(const Result<remote::nats::Message>& last);
  void pull_again(std::chrono::milliseconds pause);
  void add(Left left);
  void forget();
  void acknowledge(Id id, std::string_view word);
  void bury(Id id, std::string reason);
  void hold_on();
  void go_on();
  void release_if_over();
  void release(std::vector<Left> left);
  std::vector<Left> with_receipts(std::vector<Deliveries::Held> held);

  const std::shared_ptr<StreamQueue*> self_;  // Null once it is gone: answers come later.
  const std::shared_ptr<Stream> stream_;      // Shared by the loop's brokers of that name.
  const std::string group_;
  bool has_turn_ = false;
  bool has_group_ = false;
  std::string consumer_;  // Which one of its name; empty: not known yet.
  bool stopped_ = false;
  bool released_ = false;
  bool troubled_ = false;                      // The last that was heard is a failure.
  std::chrono::milliseconds bury_pause_{500};  // After the next dead letter that is not kept.
  // Consumers that were made anew so far: in the upper bits of a message's number, as a stream that
  // was removed begins to count from one again.
  Id generation_ = 0;
  std::size_t expected_ = 0;            // Messages that were asked for.
  std::size_t writing_ = 0;             // Acknowledgements and dead letters on their way.
  std::map<Id, std::string> receipts_;  // Of those that are held; empty: its consumer is gone.
  std::set<Id> unheard_;                // The last kUnheardMax.
  Deliveries deliveries_;
  Timer again_;
  Timer hold_;
};

}  // namespace weft::messaging::jetstream
