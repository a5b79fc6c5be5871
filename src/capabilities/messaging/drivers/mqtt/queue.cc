#include "capabilities/messaging/drivers/mqtt/queue.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/nats/names.h"
#include "io/loop.h"

namespace weft::messaging::mqtt {
namespace {

// Between two lines about messages that were dropped.
constexpr std::chrono::seconds kTellEvery{1};

}  // namespace

MqttQueue::MqttQueue(std::shared_ptr<Site> site, Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<MqttQueue*>(this)),
      site_(std::move(site)),
      group_(wanted.group),
      deliveries_(site_->loop(), std::move(wanted), receiver) {
  bool now = site_->place()->turns.claim(
      group_, this, site_->loop(),
      [self = self_, place = site_->place(), group = group_](std::vector<Left> left) {
        if (*self != nullptr && !(*self)->released_) return (*self)->given(std::move(left));
        for (const Left& each : left) place->replays.end(group, each.letter);
      });
  if (now) take_turn();
}

MqttQueue::~MqttQueue() {
  *self_ = nullptr;
  if (!released_) release();
}

void MqttQueue::take_turn() {
  if (client_ != nullptr || stopped_) return release_if_over();
  client_ = site_->group_client(group_);
  client_->on_new_session([self = self_] {
    if (*self != nullptr) (*self)->forget();
  });
  beginning_ = site_->place()->beginnings.begins();
  Result<std::string> filter = site_->place()->topics.filter(deliveries_.wanted().pattern);
  if (!filter) {
    site_->place()->beginnings.ended(beginning_);
    return log::error("messaging", "a trigger gets no messages",
                      {{"group", group_}, {"why", filter.error().message()}});
  }
  client_->listen(
      fmt::format("$share/{}/{}", nats::token(group_), *filter), site_->settings().qos,
      [self = self_](remote::mqtt::Incoming incoming) {
        if (*self != nullptr) (*self)->came(std::move(incoming));
      },
      [self = self_](Result<void> listens) {
        if (*self == nullptr) return;
        MqttQueue& queue = **self;
        if (!listens) {
          log::error("messaging", "a trigger gets no messages",
                     {{"group", queue.group_}, {"why", listens.error().message()}});
        }
        queue.site_->place()->beginnings.ended(queue.beginning_);
      });
}

// The packets' numbers were the session's.
void MqttQueue::forget() {
  unheard_.clear();
  held_.clear();
}

// Its turn has come, or a dead letter comes again, which no server waits for.
void MqttQueue::given(std::vector<Left> left) {
  if (client_ == nullptr || stopped_) take_turn();
  for (Left& each : left) {
    if (stopped_) {
      site_->place()->replays.end(group_, each.letter);
      continue;
    }
    bytes_ += size_of(each.held.message);
    receipts_[each.held.id] = {};
    letters_[each.held.id] = each.letter;
    deliveries_.add(std::move(each.held));
  }
  deliveries_.bring();
}

// It was brought before: by a connection that broke since.
bool MqttQueue::known(const remote::mqtt::Incoming& incoming) {
  std::uint16_t packet = incoming.message.id;
  if (incoming.message.qos == 0) return false;
  if (!incoming.message.again) {
    unheard_.erase(packet);
    held_.erase(packet);
    return false;
  }
  if (unheard_.erase(packet) > 0) {
    client_->acknowledge(incoming.connection, incoming.message.qos, packet);
    return true;
  }
  auto found = held_.find(packet);
  if (found == held_.end()) return false;
  receipts_.at(found->second).connection = incoming.connection;
  return true;
}

void MqttQueue::came(remote::mqtt::Incoming incoming) {
  if (stopped_ || known(incoming)) return;
  Receipt receipt{incoming.connection, incoming.message.qos, incoming.message.id};
  std::optional<Message> message = from_wire(site_->place()->topics, std::move(incoming.message));
  if (!message || !matches(deliveries_.wanted().pattern, message->topic)) {
    client_->acknowledge(receipt.connection, receipt.qos, receipt.packet);
    if (!message) drop("it is no message here: its topic or properties are no text, or too long");
    return;
  }
  std::size_t bytes = size_of(*message);
  if (deliveries_.size() >= kPendingMax || bytes_ + bytes > kPendingBytesMax) {
    if (receipt.qos > 0) return client_->hold();
    return drop("too many wait: the handler is slower than they come");
  }
  bytes_ += bytes;
  Id id = site_->place()->turns.next_id();
  if (receipt.qos > 0) held_[receipt.packet] = id;
  receipts_[id] = receipt;
  deliveries_.add({id, *std::move(message)});
  deliveries_.bring();
}

void MqttQueue::drop(std::string_view why) {
  ++dropped_;
  auto now = Deadline::Clock::now();
  if (dropped_ > 1 && now - told_ < kTellEvery) return;
  told_ = now;
  log::warn("messaging", "a message is dropped",
            {{"group", group_}, {"why", why}, {"dropped", std::to_string(dropped_)}});
}

void MqttQueue::done(Id id) {
  bytes_ -= size_of(deliveries_.delivered(id).message);
  deliveries_.done(id);
  if (auto letter = letters_.extract(id); !letter.empty()) {
    site_->place()->dead.erase(group_, letter.mapped());
    site_->place()->replays.end(group_, letter.mapped());
  }
  Receipt receipt = receipts_.extract(id).mapped();
  if (receipt.qos == 0) return;
  auto held = held_.find(receipt.packet);
  bool is_known = held != held_.end() && held->second == id;
  if (is_known) held_.erase(held);
  if (!client_->acknowledge(receipt.connection, receipt.qos, receipt.packet) && is_known) {
    unheard_.insert(receipt.packet);
  }
}

void MqttQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  if (verdict.kind == Kind::kDead) {
    const Deliveries::Held& held = deliveries_.delivered(id);
    site_->place()->dead.add({group_, std::move(verdict.reason), held.message, held.attempts + 1});
  }
  if (verdict.kind == Kind::kDead || verdict.kind == Kind::kDone) {
    done(id);
  } else {
    deliveries_.again(id, verdict.kind, verdict.pause);
  }
  go_on_if_room();
  deliveries_.bring();
  release_if_over();
}

// Not for each single one: what is held is looked at once more each time.
void MqttQueue::go_on_if_room() {
  bool room = deliveries_.size() + kRoomAgain <= kPendingMax &&
              bytes_ + kRoomBytesAgain <= kPendingBytesMax;
  if (room && client_ != nullptr) client_->go_on();
}

void MqttQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  deliveries_.stop();
  release_if_over();
}

void MqttQueue::release_if_over() {
  if (stopped_ && !released_ && deliveries_.out() == 0) release();
}

// What is not acknowledged the server brings to the next connection of the group.
void MqttQueue::release() {
  released_ = true;
  for (const auto& [id, letter] : std::exchange(letters_, {})) {
    site_->place()->replays.end(group_, letter);
  }
  if (client_ != nullptr) client_->leave();
  site_->place()->beginnings.ended(beginning_);
  site_->place()->turns.release(group_, this, {});
}

}  // namespace weft::messaging::mqtt
