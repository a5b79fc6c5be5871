#include "capabilities/messaging/drivers/rabbitmq/watch.h"

#include <utility>

#include "base/log.h"
#include "capabilities/messaging/watchers.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Incoming;
using remote::amqp::Method;

// A queue that nobody reads goes by itself, should nobody delete it.
constexpr std::int64_t kUnreadMs = 60'000;
constexpr std::int64_t kShownBytesMax = 16 << 20;

// Reads a queue that is this connection's alone, and deletes it at its end.
class WatchQueue final : public Watch, private remote::amqp::ChannelOwner {
 public:
  WatchQueue(std::shared_ptr<Site> site, std::string pattern, std::function<void(Message)> saw)
      : site_(std::move(site)),
        pattern_(std::move(pattern)),
        queue_(site_->names().watch_queue()),
        saw_(std::move(saw)),
        channel_(site_->groups().channel(*this)) {}
  ~WatchQueue() override {
    if (channel_->open()) channel_->delete_queue(queue_, [](const Result<Method>&) {});
    channel_->let_go();
  }

 private:
  void opened() override {
    // What fails closes the channel, which is told by `closed`.
    auto ignore = [](const Result<Method>&) {};
    const std::string& exchange = site_->names().exchange;
    channel_->declare(remote::amqp::ExchangeSpec{.name = exchange}, ignore);
    channel_->declare(
        remote::amqp::QueueSpec{
            .name = queue_,
            .durable = false,
            .exclusive = true,
            .arguments = {{"x-max-length", {static_cast<std::int64_t>(kShownMax)}},
                          {"x-max-length-bytes", {kShownBytesMax}},
                          {"x-expires", {kUnreadMs}}}},
        ignore);
    channel_->bind({.queue = queue_, .exchange = exchange, .key = binding_key(pattern_)}, ignore);
    channel_->consume({.queue = queue_, .consumer = "watch", .no_acks = true},
                      [this](const Result<Method>& begun) {
                        if (begun) troubled_ = false;
                      });
  }
  void closed(const Error& error) override {
    if (std::exchange(troubled_, true)) return;
    log::warn("messaging", "who watches is shown nothing now", {{"why", error.message()}});
  }
  void came(Incoming came) override {
    std::optional<Message> read = from_wire(std::move(came));
    if (!read || !matches(pattern_, read->topic)) return;
    auto saw = saw_;  // It may drop this.
    saw(*std::move(read));
  }

  const std::shared_ptr<Site> site_;  // Shared by the loop's brokers of that name.
  const std::string pattern_;
  const std::string queue_;
  const std::function<void(Message)> saw_;
  bool troubled_ = false;                                 // The last that was heard is a failure.
  const std::shared_ptr<remote::amqp::Channel> channel_;  // Shared with the client while it calls.
};

}  // namespace

std::unique_ptr<Watch> watch(std::shared_ptr<Site> site, std::string pattern,
                             std::function<void(Message)> saw) {
  return std::make_unique<WatchQueue>(std::move(site), std::move(pattern), std::move(saw));
}

}  // namespace weft::messaging::rabbitmq
