#include "capabilities/messaging/drivers/nats/queue.h"

#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/nats/wire.h"
#include "io/loop.h"

namespace weft::messaging::nats {
namespace {

// Between two lines about messages that were dropped.
constexpr std::chrono::seconds kTellEvery{1};

// What nobody holds any more is gone, but for dead letters.
void lost(Space& space, const std::string& group, const std::vector<Left>& left) {
  std::size_t count = 0;
  for (const Left& each : left) {
    if (each.letter == 0) ++count;
    if (each.letter != 0) space.replays.end(group, each.letter);
  }
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
                            lost(*space, group, space->turns.pass(group, std::move(left)));
                          });
  if (now) take_turn();
}

CoreQueue::~CoreQueue() {
  *self_ = nullptr;
  if (released_) return;
  std::vector<Deliveries::Held> held;
  deliveries_.each([&](const auto& each) { held.push_back(each); });
  release(with_letters(std::move(held)));
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
    lost(*space, group, space->turns.pass(group, std::move(left)));
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
  for (Left& each : left) {
    std::uint64_t id = each.held.id;
    bool added = add(std::move(each.held));
    if (each.letter == 0) continue;
    if (added) letters_[id] = each.letter;
    if (!added) space_->replays.end(group_, each.letter);
  }
  deliveries_.bring();
  release_if_over();
}

void CoreQueue::came(remote::nats::Message message) {
  std::optional<Message> read = from_wire(space_->subjects, std::move(message));
  if (!read) return drop("it is no message here: its subject or headers are no text, or too long");
  add({space_->turns.next_id(), *std::move(read)});
  deliveries_.bring();
}

bool CoreQueue::add(Deliveries::Held held) {
  std::size_t bytes = size_of(held.message);
  if (deliveries_.size() >= kPendingMax || bytes_ + bytes > kPendingBytesMax) {
    drop("too many wait: the handler is slower than they come");
    return false;
  }
  bytes_ += bytes;
  deliveries_.add(std::move(held));
  return true;
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
  auto letter = letters_.extract(id);
  if (letter.empty()) return;
  space_->dead.erase(group_, letter.mapped());
  space_->replays.end(group_, letter.mapped());
}

void CoreQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  if (verdict.kind == Kind::kDead) {
    const Deliveries::Held& held = deliveries_.delivered(id);
    space_->dead.add({group_, std::move(verdict.reason), held.message, held.attempts + 1});
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
  release(with_letters(deliveries_.take_rest()));
}

std::vector<Left> CoreQueue::with_letters(std::vector<Deliveries::Held> held) {
  std::vector<Left> left;
  for (Deliveries::Held& each : held) {
    auto letter = letters_.extract(each.id);
    left.push_back({std::move(each), {}, letter.empty() ? 0 : letter.mapped()});
  }
  return left;
}

void CoreQueue::release(std::vector<Left> left) {
  released_ = true;
  lost(*space_, group_, space_->turns.release(group_, this, std::move(left)));
  if (subscription_ != 0) link_->unsubscribe_later(subscription_);
}

}  // namespace weft::messaging::nats
