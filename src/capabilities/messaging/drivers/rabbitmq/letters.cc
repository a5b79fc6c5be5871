#include "capabilities/messaging/drivers/rabbitmq/letters.h"

#include <utility>

#include "io/loop.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Incoming;

// Reads one after the other, of one group after the other. Held by itself until it ends.
class Listing : public std::enable_shared_from_this<Listing>, private remote::amqp::ChannelOwner {
 public:
  Listing(std::shared_ptr<Site> site, std::size_t most)
      : site_(std::move(site)),
        most_(most),
        groups_(site_->place()->attempts.groups()),
        timer_(site_->loop(), [this] {
          end(failure(Errc::kTimeout, "RabbitMQ: the dead letters did not come in time"));
        }) {}
  ~Listing() override {
    if (channel_ != nullptr) channel_->let_go();
  }

  Answer<std::vector<DeadLetter>> begin(Deadline deadline) {
    Answer<std::vector<DeadLetter>> answer = promise_.answer();
    timer_.arm(deadline);
    self_ = shared_from_this();
    channel_ = site_->groups().channel(*this);
    return answer;
  }

 private:
  void opened() override { next(); }
  void closed(const Error& error) override {
    // A queue that somebody removed has none.
    if (error.code() == Errc::kNotFound && at_ < groups_.size()) {
      ++at_;
      return;
    }
    end(std::unexpected(error));
  }

  void next() {
    if (letters_.size() >= most_ || at_ >= groups_.size()) return end(std::move(letters_));
    channel_->get(site_->names().dead_queue(groups_[at_]),
                  [this](Result<std::optional<Incoming>> got) {
                    if (got) took(*std::move(got));
                  });
  }

  void took(std::optional<Incoming> came) {
    if (!came) {
      ++at_;
      return next();
    }
    if (auto letter = letter_from_wire(groups_[at_], *std::move(came))) {
      letters_.push_back(*std::move(letter));
    }
    next();
  }

  // Not inside the channel, which goes with this.
  void end(Result<std::vector<DeadLetter>> result) {
    if (std::exchange(over_, true)) return;
    timer_.disarm();
    channel_->let_go();
    site_->loop().defer(
        [self = std::exchange(self_, nullptr), result = std::move(result)]() mutable {
          std::move(self->promise_).fulfil(std::move(result));
        });
  }

  const std::shared_ptr<Site> site_;  // Shared by the loop's brokers of that name.
  const std::size_t most_;
  const std::vector<std::string> groups_;
  std::size_t at_ = 0;
  bool over_ = false;
  std::vector<DeadLetter> letters_;
  std::shared_ptr<Listing> self_;
  Promise<std::vector<DeadLetter>> promise_;
  Timer timer_;
  std::shared_ptr<remote::amqp::Channel> channel_;  // Shared with the client while it calls.
};

}  // namespace

Answer<std::vector<DeadLetter>> letters(const std::shared_ptr<Site>& site, Request request,
                                        std::size_t most) {
  return std::make_shared<Listing>(site, most)->begin(request.deadline);
}

}  // namespace weft::messaging::rabbitmq
