#include "capabilities/messaging/drivers/rabbitmq/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/rabbitmq/letters.h"
#include "io/loop.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Incoming;
using remote::amqp::Method;
using remote::amqp::QueueSpec;
using remote::amqp::Table;
using remote::amqp::Value;

// When something failed.
constexpr std::chrono::milliseconds kPause{500};
constexpr std::chrono::seconds kWriteTime{10};
// Between two lines about messages that were dropped.
constexpr std::chrono::seconds kTellEvery{1};

Value text(std::string_view value) {
  return {std::string(value)};
}

std::string consumer(std::size_t number) {
  return fmt::format("weft-{}", number);
}

QueueSpec dead_queue(const Names& names, std::string_view group) {
  return {.name = names.dead_queue(group),
          .arguments = {{"x-max-length", {kLettersMax}}, {"x-overflow", text("drop-head")}}};
}

// What the server itself gives up goes where dead letters are.
QueueSpec group_queue(const Names& names, std::string_view group, QueueType type) {
  std::int64_t kept_ms = std::chrono::milliseconds(kGroupKept).count();
  return {.name = names.queue(group),
          .arguments = {{"x-queue-type", text(type == QueueType::kQuorum ? "quorum" : "classic")},
                        {"x-max-length", {kMessagesMax}},
                        {"x-overflow", text("reject-publish")},
                        {"x-expires", {kept_ms}},
                        {"x-dead-letter-exchange", text("")},
                        {"x-dead-letter-routing-key", text(names.dead_queue(group))}}};
}

}  // namespace

RabbitQueue::RabbitQueue(std::shared_ptr<Site> site, Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<RabbitQueue*>(this)),
      site_(std::move(site)),
      group_(wanted.group),
      deliveries_(site_->loop(), std::move(wanted), receiver),
      stop_(site_->loop(), [this] { release(); }) {
  site_->place()->attempts.add_group(group_);
  has_turn_ = site_->place()->turns.claim(
      group_, this, site_->loop(),
      [self = self_, place = site_->place(), group = group_](std::vector<Left> left) {
        bool here = *self != nullptr && !(*self)->released_;
        if (here && !(*self)->stopped_) return (*self)->given(std::move(left));
        // They stay dead letters, and may be asked for again.
        for (const Left& each : here ? left : place->turns.pass(group, std::move(left))) {
          place->replays.end(group, each.letter);
        }
        if (here) (*self)->has_turn_ = true;
      });
  beginning_ = site_->place()->beginnings.begins();
  channel_ = site_->groups().channel(*this);
}

RabbitQueue::~RabbitQueue() {
  *self_ = nullptr;
  write_acks();
  channel_->let_go();
  if (released_) return;
  remember_rest();
  // The server has to hear that they are back before the next one asks.
  channel_.reset();
  release();
}

// The group is there from now on, whosever turn it is.
void RabbitQueue::opened() {
  ++openings_;
  const Names& names = site_->names();
  // What fails closes the channel, which is told by `closed`.
  auto ignore = [](const Result<Method>&) {};
  channel_->declare(remote::amqp::ExchangeSpec{.name = names.exchange}, ignore);
  channel_->declare(dead_queue(names, group_), ignore);
  channel_->declare(group_queue(names, group_, site_->settings().queue_type), ignore);
  channel_->bind({.queue = names.queue(group_),
                  .exchange = names.exchange,
                  .key = binding_key(deliveries_.wanted().pattern)},
                 [this](const Result<Method>& bound) {
                   if (bound) is_there();
                 });
}

void RabbitQueue::is_there() {
  troubled_ = false;
  bound_ = true;
  site_->place()->beginnings.ended(beginning_);
  if (has_turn_ && !stopped_) begin();
}

void RabbitQueue::closed(const Error& error) {
  bound_ = false;
  asked_for_ = 0;
  consumers_ = 0;
  acks_.clear();
  site_->place()->beginnings.ended(beginning_);
  if (stopped_ || std::exchange(troubled_, true)) return;
  log::warn("messaging", "a trigger gets no messages now",
            {{"group", group_}, {"why", error.message()}});
}

// It has its turn, and the dead letters that are to be done once more.
void RabbitQueue::given(std::vector<Left> left) {
  bool had_turn = std::exchange(has_turn_, true);
  for (Left& each : left) {
    letters_[each.held.id] = each.letter;
    deliveries_.add(std::move(each.held));
  }
  deliveries_.bring();
  if (bound_ && !had_turn) begin();
}

// Somebody removed its queue: it is made anew, with what comes from then on.
void RabbitQueue::cancelled(const std::string&) {
  write_acks();
  channel_->reopen({Errc::kNotFound, "RabbitMQ: its queue is gone"});
}

void RabbitQueue::begin() {
  std::size_t out = deliveries_.wanted().at_once;
  std::size_t ahead = std::clamp(kAheadTimes * out, kReadAhead, kAheadMax);
  consume(std::min(kOpenMax, out + ahead));
}

void RabbitQueue::consume(std::size_t more) {
  auto ignore = [](const Result<Method>&) {};
  asked_for_ += more;
  channel_->prefetch(static_cast<std::uint16_t>(more), ignore);
  channel_->consume({.queue = site_->names().queue(group_), .consumer = consumer(++consumers_)},
                    ignore);
}

// All that was asked for is held, and there is room since some of it waits: RabbitMQ changes the
// prefetch of no consumer, so another one comes to it.
void RabbitQueue::ask_for_more() {
  bool all_held = consumers_ > 0 && deliveries_.size() >= asked_for_ && deliveries_.room() > 0;
  if (all_held && channel_->open() && asked_for_ + kReadAhead <= kOpenMax) consume(kReadAhead);
}

// It was brought before: by a channel that ended since.
bool RabbitQueue::known(const Incoming& message, const Receipt& receipt) {
  if (!message.how.redelivered || receipt.id.empty()) return false;
  if (unheard_.contains(receipt.id)) {
    acknowledge(receipt);
    return true;
  }
  auto found = held_.find(receipt.id);
  if (found == held_.end()) return false;
  Receipt& held = receipts_.at(found->second);
  // It was published twice, and this is the other one.
  if (held.opening == receipt.opening) return false;
  held = receipt;
  return true;
}

unsigned RabbitQueue::attempts_of(const Incoming& message, const std::string& id) {
  std::optional<unsigned> attempts;
  if (!id.empty()) attempts = site_->place()->attempts.take(group_, id);
  return attempts.value_or(deliveries_before(message));
}

void RabbitQueue::came(Incoming message) {
  Receipt receipt{openings_, message.how.tag, id_of(message)};
  acks_.came(receipt.tag);
  if (!stopped_ && known(message, receipt)) return;
  unsigned attempts = attempts_of(message, receipt.id);
  if (stopped_) {
    // It goes back with the channel, as no attempt.
    if (!receipt.id.empty()) site_->place()->attempts.put(group_, receipt.id, attempts);
    return;
  }
  std::optional<Message> read = from_wire(std::move(message));
  if (!read || !matches(deliveries_.wanted().pattern, read->topic)) {
    acknowledge(receipt);
    if (!read) drop("it is no message here: its topic or headers are no text, or too long");
    return;
  }
  Id id = site_->place()->turns.next_id();
  if (!receipt.id.empty()) held_[receipt.id] = id;
  receipts_[id] = std::move(receipt);
  deliveries_.add({id, *std::move(read), attempts});
  deliveries_.bring();
  ask_for_more();
}

void RabbitQueue::drop(std::string_view why) {
  ++dropped_;
  auto now = Deadline::Clock::now();
  if (dropped_ > 1 && now - told_ < kTellEvery) return;
  told_ = now;
  log::warn("messaging", "a message is dropped",
            {{"group", group_}, {"why", why}, {"dropped", std::to_string(dropped_)}});
}

void RabbitQueue::acknowledge(const Receipt& receipt) {
  if (receipt.opening != openings_ || !channel_->open()) return;
  bool planned = acks_.due();
  acks_.done(receipt.tag);
  if (planned) return;
  site_->loop().defer_last([self = self_] {
    if (*self != nullptr) (*self)->write_acks();
  });
}

void RabbitQueue::write_acks() {
  if (!channel_->open()) return;
  for (const Acks::Ack& ack : acks_.take()) channel_->acknowledge(ack.tag, ack.multiple);
}

// The server does not answer: what is lost on the way is known when it comes again.
void RabbitQueue::done(Id id) {
  deliveries_.done(id);
  if (auto letter = letters_.extract(id)) return erase_letter(site_, group_, letter.mapped());
  Receipt receipt = receipts_.extract(id).mapped();
  acknowledge(receipt);
  if (receipt.id.empty()) return;
  auto held = held_.find(receipt.id);
  if (held != held_.end() && held->second == id) held_.erase(held);
  if (!unheard_.insert(receipt.id).second) return;
  unheard_order_.push_back(std::move(receipt.id));
  if (unheard_order_.size() <= kUnheardMax) return;
  unheard_.erase(unheard_order_.front());
  unheard_order_.pop_front();
}

void RabbitQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  switch (verdict.kind) {
    case Kind::kDead: return bury(id, std::move(verdict.reason));
    case Kind::kDone: done(id); break;
    default: deliveries_.again(id, verdict.kind, verdict.pause);
  }
  go_on();
}

// It is out until it is among the dead: nothing of it may be lost in between. One that came again
// stays the dead letter that it is.
void RabbitQueue::bury(Id id, std::string reason) {
  if (auto letter = letters_.extract(id)) {
    deliveries_.done(id);
    site_->place()->replays.end(group_, letter.mapped());
    return go_on();
  }
  ++writing_;
  const Deliveries::Held& held = deliveries_.delivered(id);
  DeadLetter letter{group_, std::move(reason), held.message, held.attempts + 1};
  site_->keep_letter(letter, Deadline::after(kWriteTime), [self = self_, id](Result<void> kept) {
    if (*self == nullptr) return;
    RabbitQueue& queue = **self;
    --queue.writing_;
    if (kept) {
      queue.done(id);
      return queue.go_on();
    }
    log::warn("messaging", kept.error().message(), {{"group", queue.group_}});
    queue.deliveries_.again(id, Verdict::Kind::kAgain, kPause);
    // Its queue is made anew with the channel.
    if (kept.error().code() == Errc::kNotFound) {
      queue.write_acks();
      queue.channel_->reopen(std::move(kept).error());
    }
    queue.go_on();
  });
}

void RabbitQueue::go_on() {
  deliveries_.bring();
  if (!stopped_) ask_for_more();
  release_if_over();
}

void RabbitQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  deliveries_.stop();
  // What is not here yet goes to others at once.
  for (std::size_t i = 1; i <= consumers_; ++i) {
    channel_->cancel(consumer(i), [](const Result<Method>&) {});
  }
  release_if_over();
}

// When the channel is closed, the server has done with what was acknowledged, and has the rest
// back.
void RabbitQueue::release_if_over() {
  if (!stopped_ || closing_ || deliveries_.out() > 0 || writing_ > 0) return;
  closing_ = true;
  write_acks();
  remember_rest();
  stop_.arm(Deadline::after(kStopTime));
  channel_->close([self = self_] {
    if (*self != nullptr) (*self)->release();
  });
}

void RabbitQueue::remember_rest() {
  deliveries_.each([&](const Deliveries::Held& held) {
    auto receipt = receipts_.find(held.id);
    if (receipt == receipts_.end()) return;
    if (const std::string& id = receipt->second.id; !id.empty())
      site_->place()->attempts.put(group_, id, held.attempts);
  });
}

void RabbitQueue::release() {
  if (std::exchange(released_, true)) return;
  stop_.disarm();
  site_->place()->beginnings.ended(beginning_);
  // They stay what they are, with their group's next queue too.
  for (const auto& [id, letter] : letters_) site_->place()->replays.end(group_, letter);
  site_->place()->turns.release(group_, this, {});
}

}  // namespace weft::messaging::rabbitmq
