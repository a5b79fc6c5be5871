#include "capabilities/messaging/drivers/nats/queue.h"

#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/nats/wire.h"
#include "io/loop.h"

namespace weft::messaging::nats {
namespace {

// Between two lines about messages that were dropped.
constexpr std::chrono::seconds kTellEvery{1};

// What nobody holds any more is gone.
void lost(const std::string& group, std::size_t count) {
  if (count == 0) return;
  log::warn("messaging", "messages of a group are lost: nobody takes over from its trigger",
            {{"group", group}, {"messages", std::to_string(count)}});
}

}  // namespace

CoreQueue::CoreQueue(std::shared_ptr<Link> link, std::shared_ptr<Space> space, Wanted wanted,
                     Receiver& receiver)
    : self_(std::make_shared<CoreQueue*>(this)),
      link_(std::move(link)),
      space_(std::move(space)),
      group_(wanted.group),
      deliveries_(link_->loop(), std::move(wanted), receiver) {
  bool now =
      space_->turns.claim(group_, this, link_->loop(),
                          [self = self_, space = space_, group = group_](std::vector<Left> left) {
                            if (*self != nullptr && !(*self)->released_)
                              return (*self)->given(std::move(left));
                            lost(group, space->turns.pass(group, std::move(left)).size());
                          });
  if (now) take_turn();
}

CoreQueue::~CoreQueue() {
  *self_ = nullptr;
  if (released_) return;
  std::vector<Left> left;
  deliveries_.each([&](const auto& held) { left.push_back({held}); });
  release(std::move(left));
}

void CoreQueue::take_turn() {
  std::string queue = token(group_);
  auto on_message = [self = self_, space = space_, group = group_](remote::nats::Message message) {
    if (*self != nullptr && !(*self)->released_) return (*self)->came(std::move(message));
    // Another queue has taken over, and this subscription is about to end.
    std::optional<Message> read = from_wire(space->subjects, std::move(message));
    if (!read) return;
    std::vector<Left> left;
    left.push_back({{space->turns.next_id(), *std::move(read)}});
    lost(group, space->turns.pass(group, std::move(left)).size());
  };
  Result<std::string> subject = space_->subjects.subject(deliveries_.wanted().pattern);
  Result<std::uint64_t> subscribed = 0;
  if (subject) subscribed = link_->client().subscribe(*subject, queue, std::move(on_message));
  if (subject && subscribed) {
    subscription_ = *subscribed;
    return;
  }
  const Error& error = subject ? subscribed.error() : subject.error();
  log::error("messaging", "a trigger gets no messages",
             {{"group", group_}, {"why", error.message()}});
}

void CoreQueue::given(std::vector<Left> left) {
  if (subscription_ == 0) take_turn();
  for (Left& each : left) add(std::move(each.held));
  deliveries_.bring();
  release_if_over();
}

void CoreQueue::came(remote::nats::Message message) {
  std::string subject = message.subject;
  std::optional<Message> read = from_wire(space_->subjects, std::move(message));
  if (!read) return drop("it is no message here: its subject or headers are no text, or too long");
  add({space_->turns.next_id(), *std::move(read)});
  deliveries_.bring();
}

void CoreQueue::add(Deliveries::Held held) {
  std::size_t bytes = size_of(held.message);
  if (deliveries_.size() >= kPendingMax || bytes_ + bytes > kPendingBytesMax) {
    return drop("too many wait: the handler is slower than they come");
  }
  bytes_ += bytes;
  deliveries_.add(std::move(held));
}

void CoreQueue::drop(std::string_view why) {
  ++dropped_;
  auto now = Deadline::Clock::now();
  if (dropped_ > 1 && now - told_ < kTellEvery) return;
  told_ = now;
  log::warn("messaging", "a message is dropped",
            {{"group", group_}, {"why", why}, {"dropped", std::to_string(dropped_)}});
}

void CoreQueue::done(std::uint64_t id) {
  bytes_ -= size_of(deliveries_.delivered(id).message);
  deliveries_.done(id);
}

void CoreQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  if (verdict.kind == Kind::kDead) {
    space_->dead.add({group_, std::move(verdict.reason), deliveries_.delivered(id).message});
  }
  if (verdict.kind == Kind::kDead || verdict.kind == Kind::kDone) {
    done(id);
  } else {
    deliveries_.again(id, verdict.kind, verdict.pause);
  }
  deliveries_.bring();
  release_if_over();
}

void CoreQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  deliveries_.stop();
  release_if_over();
}

void CoreQueue::release_if_over() {
  if (!stopped_ || released_ || deliveries_.out() > 0) return;
  std::vector<Left> left;
  for (auto& held : deliveries_.take_rest()) left.push_back({std::move(held)});
  release(std::move(left));
}

void CoreQueue::release(std::vector<Left> left) {
  released_ = true;
  lost(group_, space_->turns.release(group_, this, std::move(left)).size());
  if (subscription_ != 0) link_->unsubscribe_later(subscription_);
}

}  // namespace weft::messaging::nats
