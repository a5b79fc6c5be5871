#include "capabilities/messaging/drivers/jetstream/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/jetstream/letters.h"
#include "capabilities/messaging/drivers/jetstream/receipt.h"
#include "capabilities/messaging/drivers/nats/wire.h"
#include "io/loop.h"

namespace weft::messaging::jetstream {
namespace {

using remote::nats::Client;
using std::chrono::milliseconds;

// When something failed.
constexpr milliseconds kPause{500};
constexpr std::chrono::seconds kWriteTime{10};
constexpr std::chrono::seconds kPullGrace{5};  // Beyond kPullTime.
// Fewer are not asked for while others are on their way.
constexpr std::size_t kPullLeast = 16;

constexpr std::string_view kDone = "+ACK";
constexpr std::string_view kNotDone = "-NAK";
constexpr std::string_view kNever = "+TERM";
constexpr std::string_view kHeld = "+WPI";

constexpr unsigned kSequenceBits = 48;
constexpr std::uint64_t kAttemptsMax = 1'000'000;  // That are told apart.

constexpr unsigned kNobody = 503;
constexpr unsigned kConflict = 409;

void say(Client& client, const std::string& receipt, std::string_view word) {
  client.publish({receipt, {}, to_bytes(word)});
}

// What came, with the sequence as its number. Nothing: it is no message here, and never comes
// again.
std::optional<Left> read(const Place& place, Client* client, remote::nats::Message came) {
  std::string reply = std::exchange(came.reply, "");
  std::string subject = came.subject;
  std::optional<Receipt> receipt = read_receipt(reply);
  if (!receipt) return std::nullopt;
  std::optional<Message> message = nats::from_wire(place.subjects, std::move(came));
  if (!message) {
    log::warn("messaging", "a message is dropped: its subject or headers are no text, or too long",
              {{"stream", place.stream}, {"subject", subject}});
    if (client != nullptr) say(*client, reply, kNever);
    return std::nullopt;
  }
  auto attempts =
      static_cast<unsigned>(std::min<std::uint64_t>(receipt->deliveries - 1, kAttemptsMax));
  return Left{{receipt->sequence, *std::move(message), attempts}, std::move(reply)};
}

// Nobody here takes them: the server brings them to somebody else, without a client later.
// Dead letters stay what they are.
void give_back(Stream* stream, Place& place, const std::string& group,
               const std::vector<Left>& left) {
  for (const Left& each : left) {
    if (each.letter != 0) place.replays.end(group, each.letter);
    bool known = each.letter == 0 && !each.receipt.empty();
    if (known && stream != nullptr) say(stream->client(), each.receipt, kNotDone);
  }
}

}  // namespace

struct StreamQueue::Pull {
  std::size_t left;
};

StreamQueue::StreamQueue(std::shared_ptr<Stream> stream, Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<StreamQueue*>(this)),
      stream_(std::move(stream)),
      group_(wanted.group),
      deliveries_(stream_->loop(), std::move(wanted), receiver),
      again_(stream_->loop(), [this] { has_group_ ? pull() : find_group(); }),
      hold_(stream_->loop(), [this] { hold_on(); }) {
  has_turn_ = stream_->place()->turns.claim(
      group_, this, stream_->loop(),
      [self = self_, weak = std::weak_ptr(stream_), place = stream_->place(),
       group = group_](std::vector<Left> left) {
        if (*self != nullptr && !(*self)->released_) return (*self)->given(std::move(left));
        give_back(weak.lock().get(), *place, group, place->turns.pass(group, std::move(left)));
      });
  hold_.arm(Deadline::after(stream_->settings().ack_wait / 3));
  find_group();
}

StreamQueue::~StreamQueue() {
  *self_ = nullptr;
  if (released_) return;
  std::vector<Deliveries::Held> held;
  deliveries_.each([&](const auto& each) { held.push_back(each); });
  release(with_receipts(std::move(held)));
}

// The group is there from now on, whosever turn it is.
void StreamQueue::find_group() {
  stream_->add_group(deliveries_.wanted(), [self = self_](Result<std::string> found) {
    if (*self == nullptr || (*self)->stopped_) return;
    StreamQueue& queue = **self;
    queue.has_group_ = found.has_value();
    if (found) {
      std::string before = std::exchange(queue.consumer_, *std::move(found));
      if (!before.empty() && before != queue.consumer_) queue.forget();
      return queue.pull();
    }
    if (!std::exchange(queue.troubled_, true)) {
      log::warn("messaging", "a trigger gets no messages now",
                {{"group", queue.group_}, {"why", found.error().message()}});
    }
    queue.pull_again(kPause);
  });
}

void StreamQueue::pull_again(milliseconds pause) {
  if (!stopped_) again_.arm(Deadline::after(pause));
}

void StreamQueue::given(std::vector<Left> left) {
  has_turn_ = true;
  for (const Left& each : left) {
    if (each.letter != 0) continue;
    Id generation = each.held.id >> kSequenceBits;
    generation_ = std::max(generation_, each.receipt.empty() ? generation + 1 : generation);
  }
  for (Left& each : left) {
    // What came to a queue that was over has none yet.
    if (each.letter == 0 && !each.receipt.empty()) each.held.id |= generation_ << kSequenceBits;
    add(std::move(each));
  }
  deliveries_.bring();
  pull();
  release_if_over();
}

// Asks for as many as there is room for.
void StreamQueue::pull() {
  if (!has_turn_ || !has_group_ || stopped_) return;
  std::size_t room = deliveries_.room();
  std::size_t batch = room > expected_ ? room - expected_ : 0;
  if (batch == 0 || (expected_ > 0 && batch < kPullLeast)) return;
  expected_ += batch;
  auto pull = std::make_shared<Pull>(batch);  // Shared by the two functions below.
  auto each = [self = self_, weak = std::weak_ptr(stream_), place = stream_->place(),
               group = group_, pull](remote::nats::Message came) {
    --pull->left;
    auto stream = weak.lock();
    StreamQueue* queue = *self;
    if (queue != nullptr) --queue->expected_;
    std::optional<Left> left =
        read(*place, stream == nullptr ? nullptr : &stream->client(), std::move(came));
    if (!left) return pull->left > 0;
    if (queue != nullptr && !queue->released_) {
      queue->troubled_ = false;
      left->held.id |= queue->generation_ << kSequenceBits;
      queue->add(*std::move(left));
      queue->deliveries_.bring();
    } else {
      std::vector<Left> one;
      one.push_back(*std::move(left));
      give_back(stream.get(), *place, group, place->turns.pass(group, std::move(one)));
    }
    return pull->left > 0;
  };
  auto done = [self = self_, pull](Result<remote::nats::Message> last) {
    if (*self == nullptr) return;
    (*self)->expected_ -= pull->left;
    (*self)->pulled(last);
  };
  boost::json::object body{{"batch", batch},
                           {"expires", std::chrono::nanoseconds(kPullTime).count()}};
  stream_->client().request({fmt::format("$JS.API.CONSUMER.MSG.NEXT.{}.{}",
                                         stream_->place()->stream, stream_->consumer(group_)),
                             {},
                             to_bytes(boost::json::serialize(body))},
                            Deadline::after(kPullTime + kPullGrace), std::move(each),
                            std::move(done));
}

void StreamQueue::pulled(const Result<remote::nats::Message>& last) {
  if (stopped_) return;
  unsigned status = last ? last->headers.status : 0;
  bool gone =
      status == kNobody || (status == kConflict && last->headers.description.contains("Deleted"));
  if (last && !gone && status != kConflict) {
    troubled_ = false;
    return pull();
  }
  if (!std::exchange(troubled_, true)) {
    std::string_view why = !last  ? last.error().message()
                           : gone ? std::string_view("its consumer or stream is gone")
                                  : std::string_view(last->headers.description);
    log::warn("messaging", "a trigger gets no messages now", {{"group", group_}, {"why", why}});
  }
  if (gone) {
    has_group_ = false;
    stream_->lost();
  }
  pull_again(kPause);
}

// Another consumer is there, perhaps of another stream: what is held is done here and told to
// nobody, as its sequences are those of other messages soon.
void StreamQueue::forget() {
  unheard_.clear();
  for (auto& [id, receipt] : receipts_) receipt.clear();
  ++generation_;
}

void StreamQueue::add(Left left) {
  Id id = left.held.id;
  if (unheard_.contains(id)) return say(stream_->client(), left.receipt, kDone);
  if (left.letter == 0) receipts_[id] = std::move(left.receipt);
  if (!deliveries_.holds(id)) deliveries_.add(std::move(left.held));
}

void StreamQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  switch (verdict.kind) {
    case Kind::kDead: return bury(id, std::move(verdict.reason));
    case Kind::kDone: acknowledge(id, kDone); break;
    default: deliveries_.again(id, verdict.kind, verdict.pause);
  }
  go_on();
}

void StreamQueue::go_on() {
  deliveries_.bring();
  pull();
  release_if_over();
}

// Asks for an answer, so that one that got lost on the way is written again. Until it is heard the
// message may come once more: it may have waited for a connection, behind the next pull.
void StreamQueue::acknowledge(Id id, std::string_view word) {
  deliveries_.done(id);
  if ((id & kReplayed) != 0) return erase_letter(stream_, group_, id & ~kReplayed);
  auto receipt = receipts_.extract(id);
  if (receipt.mapped().empty()) return;
  ++writing_;
  unheard_.insert(id);
  if (unheard_.size() > kUnheardMax) unheard_.erase(unheard_.begin());
  stream_->client().request({receipt.mapped(), {}, to_bytes(word)}, Deadline::after(kWriteTime),
                            Client::Repeat::kRead,
                            [self = self_, id](Result<remote::nats::Message> heard) {
                              if (*self == nullptr) return;
                              StreamQueue& queue = **self;
                              --queue.writing_;
                              if (heard) queue.unheard_.erase(id);
                              queue.release_if_over();
                            });
}

// It is out until it is among the dead: nothing of it may be lost in between.
// One that came again stays the dead letter that it is.
void StreamQueue::bury(Id id, std::string reason) {
  const Deliveries::Held& held = deliveries_.delivered(id);
  if ((id & kReplayed) != 0) {
    deliveries_.done(id);
    stream_->place()->replays.end(group_, id & ~kReplayed);
    return go_on();
  }
  ++writing_;
  DeadLetter letter{group_, std::move(reason), held.message, held.attempts + 1};
  keep_letter(*stream_, std::move(letter), id, Deadline::after(kWriteTime),
              [self = self_, id](Result<void> kept) {
                if (*self == nullptr) return;
                StreamQueue& queue = **self;
                --queue.writing_;
                if (kept) {
                  queue.bury_pause_ = kPause;
                  queue.acknowledge(id, kNever);
                } else {
                  log::warn("messaging", kept.error().message(), {{"group", queue.group_}});
                  queue.deliveries_.again(id, Verdict::Kind::kAgain, queue.bury_pause_);
                  queue.bury_pause_ = std::min(queue.bury_pause_ * 2, kBuryPauseMax);
                }
                queue.go_on();
              });
}

// Nothing of what is held goes to somebody else for another while.
void StreamQueue::hold_on() {
  for (const auto& [id, receipt] : receipts_) {
    if (!receipt.empty()) say(stream_->client(), receipt, kHeld);
  }
  hold_.arm(Deadline::after(stream_->settings().ack_wait / 3));
}

void StreamQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  again_.disarm();
  deliveries_.stop();
  release_if_over();
}

std::vector<Left> StreamQueue::with_receipts(std::vector<Deliveries::Held> held) {
  std::vector<Left> left;
  for (Deliveries::Held& each : held) {
    Id id = each.id;
    bool letter = (id & kReplayed) != 0;
    left.push_back(
        {std::move(each), letter ? std::string() : receipts_.at(id), letter ? id & ~kReplayed : 0});
  }
  return left;
}

void StreamQueue::release_if_over() {
  if (!stopped_ || released_ || deliveries_.out() > 0 || writing_ > 0) return;
  release(with_receipts(deliveries_.take_rest()));
}

void StreamQueue::release(std::vector<Left> left) {
  released_ = true;
  hold_.disarm();
  Place& place = *stream_->place();
  give_back(stream_.get(), place, group_, place.turns.release(group_, this, std::move(left)));
}

}  // namespace weft::messaging::jetstream
