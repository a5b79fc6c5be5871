#include "capabilities/messaging/drivers/rabbitmq/letters.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "io/loop.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Incoming;

constexpr std::chrono::seconds kEraseTime{10};

// What becomes of a letter that is looked at.
enum class Look : std::uint8_t {
  kNext,   // It stays, and the next one is looked at.
  kLast,   // It stays, and no other is looked at.
  kErase,  // It is gone, and no other is looked at.
};

// Takes one letter after the other out of the queues of some groups, and puts all but those that
// are erased back when its channel is closed. Held by itself until it ends.
class Scan : public std::enable_shared_from_this<Scan>, private remote::amqp::ChannelOwner {
 public:
  using Each = std::move_only_function<Look(DeadLetter)>;
  // Never inside the channel, and when the server has back what was taken out.
  using Over = std::move_only_function<void(Result<void>)>;

  Scan(std::shared_ptr<Site> site, std::vector<std::string> groups, Each each, Over over)
      : site_(std::move(site)),
        groups_(std::move(groups)),
        each_(std::move(each)),
        over_(std::move(over)),
        timer_(site_->loop(), [this] {
          how_ = failure(Errc::kTimeout, "RabbitMQ: the dead letters did not come in time");
          ended();
        }) {}
  ~Scan() override {
    if (channel_ != nullptr) channel_->let_go();
  }

  // After those of this loop that began before: what one has taken out another one does not see.
  void begin(Deadline deadline) {
    self_ = shared_from_this();
    timer_.arm(deadline);
    bool room = site_->scan_begins([weak = weak_from_this()] {
      auto self = weak.lock();
      if (self == nullptr || self->is_over_) return false;
      self->scanning_ = true;
      self->channel_ = self->site_->groups().channel(*self);
      return true;
    });
    if (room) return;
    how_ = failure(Errc::kLimit, "too many wait for the dead letters");
    ended();
  }

 private:
  void opened() override { next(); }
  void closed(const Error& error) override {
    if (closing_) return;
    // A queue that somebody removed has none; the channel is opened again for the next one.
    if (error.code() != Errc::kNotFound) return close(std::unexpected(error));
    if (++at_ >= groups_.size()) close({});
  }

  void next() {
    if (at_ >= groups_.size()) return close({});
    channel_->get(site_->names().dead_queue(groups_[at_]),
                  [this](Result<std::optional<Incoming>> got) {
                    if (got) took(*std::move(got));
                  });
  }

  void took(std::optional<Incoming> came) {
    if (closing_) return;
    if (!came) {
      ++at_;
      return next();
    }
    std::uint64_t tag = came->how.tag;
    Look look = Look::kNext;
    if (auto letter = letter_from_wire(groups_[at_], *std::move(came))) {
      look = each_(*std::move(letter));
    }
    if (look == Look::kErase) channel_->acknowledge(tag);
    look == Look::kNext ? next() : close({});
  }

  void close(Result<void> how) {
    if (std::exchange(closing_, true)) return;
    how_ = std::move(how);
    channel_->close([this] { ended(); });
  }

  void ended() {
    if (std::exchange(is_over_, true)) return;
    timer_.disarm();
    if (channel_ != nullptr) channel_->let_go();
    site_->loop().defer([self = std::exchange(self_, nullptr)] {
      if (self->scanning_) self->site_->scan_ends();
      self->over_(std::move(self->how_));
    });
  }

  const std::shared_ptr<Site> site_;  // Shared by the loop's brokers of that name.
  const std::vector<std::string> groups_;
  Each each_;
  Over over_;
  std::size_t at_ = 0;
  bool scanning_ = false;
  bool closing_ = false;
  bool is_over_ = false;
  Result<void> how_;
  std::shared_ptr<Scan> self_;
  Timer timer_;
  std::shared_ptr<remote::amqp::Channel> channel_;  // Shared with the client while it calls.
};

void scan(const std::shared_ptr<Site>& site, std::vector<std::string> groups, Deadline deadline,
          Scan::Each each, Scan::Over over) {
  std::make_shared<Scan>(site, std::move(groups), std::move(each), std::move(over))
      ->begin(deadline);
}

}  // namespace

Answer<std::vector<DeadLetter>> letters(const std::shared_ptr<Site>& site, Request request,
                                        std::size_t most) {
  if (most == 0) return std::vector<DeadLetter>();
  // Shared by the two functions below.
  auto found = std::make_shared<std::vector<DeadLetter>>();
  Promise<std::vector<DeadLetter>> promise;
  Answer<std::vector<DeadLetter>> answer = promise.answer();
  scan(
      site, site->place()->attempts.groups(), request.deadline,
      [found, most](DeadLetter letter) {
        found->push_back(std::move(letter));
        return found->size() < most ? Look::kNext : Look::kLast;
      },
      [found, promise = std::move(promise)](Result<void> how) mutable {
        if (!how) return std::move(promise).fulfil(std::unexpected(std::move(how).error()));
        std::move(promise).fulfil(std::move(*found));
      });
  return answer;
}

Answer<void> replay(const std::shared_ptr<Site>& site, Request request, std::string group,
                    std::uint64_t number) {
  if (number == 0) return failure(Errc::kNotFound, no_letter(group, number));
  if (!site->place()->replays.begin(group, number)) {
    return failure(Errc::kConflict, being_replayed(number));
  }
  auto found = std::make_shared<std::optional<Message>>();  // Shared by the two functions below.
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  auto over = [found, place = site->place(), group, number,
               promise = std::move(promise)](Result<void> how) mutable {
    if (how && !*found) how = failure(Errc::kNotFound, no_letter(group, number));
    if (how) {
      std::vector<Left> left;
      left.push_back({{place->turns.next_id(), **std::move(found)}, {}, number});
      if (!place->turns.pass(group, std::move(left)).empty()) {
        how = failure(Errc::kUnavailable, no_trigger(group));
      }
    }
    if (!how) place->replays.end(group, number);
    std::move(promise).fulfil(std::move(how));
  };
  scan(
      site, {group}, request.deadline,
      [found, number](DeadLetter letter) {
        if (letter.number != number) return Look::kNext;
        *found = std::move(letter.message);
        return Look::kLast;
      },
      std::move(over));
  return answer;
}

void erase_letter(const std::shared_ptr<Site>& site, std::string group, std::uint64_t number) {
  auto erased = std::make_shared<bool>(false);  // Shared by the two functions below.
  scan(
      site, {group}, Deadline::after(kEraseTime),
      [erased, number](const DeadLetter& letter) {
        *erased = letter.number == number;
        return *erased ? Look::kErase : Look::kNext;
      },
      [erased, place = site->place(), group, number](const Result<void>& how) {
        place->replays.end(group, number);
        if (how && *erased) return;
        log::warn("messaging", "a message was handled and may stay a dead letter",
                  {{"group", group},
                   {"why", how ? "it was not found in its queue" : how.error().message()}});
      });
}

}  // namespace weft::messaging::rabbitmq
