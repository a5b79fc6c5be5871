#include "capabilities/messaging/log_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/buffer.h"
#include "base/check.h"
#include "base/log.h"
#include "capabilities/messaging/log_format.h"
#include "io/loop.h"

namespace weft::messaging {
namespace {

// When the store failed.
constexpr std::chrono::milliseconds kStorePause{500};
constexpr std::chrono::seconds kStoreTime{30};
// In the place of a message among what comes later: no message has it.
constexpr std::uint64_t kStoreAgain = 0;
// The metadata that orders messages where a group asks for it.
constexpr std::string_view kKey = "key";

}  // namespace

LogQueue::LogQueue(Loop& loop, std::shared_ptr<Log> log, std::shared_ptr<keyvalue::Bucket> bucket,
                   Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<LogQueue*>(this)),
      loop_(loop),
      log_(std::move(log)),
      bucket_(std::move(bucket)),
      wanted_(std::move(wanted)),
      receiver_(receiver),
      timer_(loop, [this] { due(); }) {
  log_->claim(wanted_.group, this, loop_, [self = self_] {
    if (*self != nullptr) (*self)->take_over();
  });
}

LogQueue::~LogQueue() {
  *self_ = nullptr;
  if (!released_) log_->release(wanted_.group, this);
}

template <class Work>
auto LogQueue::while_here(Work work) {
  return [self = self_, work = std::move(work)](auto result) mutable {
    if (*self != nullptr) work(**self, std::move(result));
    return Nothing();
  };
}

keyvalue::Request LogQueue::request() {
  return {loop_, Deadline::after(kStoreTime)};
}

// It is its turn: goes on where the group stands.
void LogQueue::take_over() {
  if (stopped_ || has_turn_) return;
  has_turn_ = true;
  Standing standing = log_->standing(wanted_.group);
  position_ = standing.position;
  log_->on_news(wanted_.group, loop_, [self = self_] {
    if (*self != nullptr) (*self)->read();
  });
  std::vector<Sequence> open;
  for (const auto& [sequence, attempts] : standing.open) {
    // Taken, so that it stays open whatever happens before it is read.
    items_[sequence].attempts = attempts;
    open.push_back(sequence);
  }
  // The group is known from now on.
  changed_ = true;
  write();
  open.empty() ? read() : fetch(std::move(open));
}

// Reads on from the position, as far as there is room.
void LogQueue::read() {
  if (!has_turn_ || stopped_ || reading_) return;
  std::size_t room = kOpenMax > items_.size() ? kOpenMax - items_.size() : 0;
  std::size_t ahead = ready_.size() < kReadAhead ? kReadAhead - ready_.size() : 0;
  fetch(log_->after(position_, std::min(room, ahead)));
}

// Reads messages from the position on, or those that were open when the group was left.
void LogQueue::fetch(std::vector<Sequence> sequences) {
  if (sequences.empty()) return;
  reading_ = true;
  std::vector<std::string> keys;
  for (Sequence each : sequences) keys.push_back(Log::message_key(each));
  std::vector<std::string_view> views(keys.begin(), keys.end());
  auto answer = bucket_->get_many(request(), views)
                    .settle(while_here([sequences](LogQueue& queue, auto values) {
                      queue.reading_ = false;
                      if (queue.stopped_) return queue.release_if_over();
                      if (!values) return queue.store_failed(values.error());
                      queue.position_ = std::max(queue.position_, sequences.back() + 1);
                      queue.took(sequences, *values);
                      queue.read();
                    }));
}

// What it asked of the store is asked again after a while.
void LogQueue::store_failed(const Error& error) {
  log::warn("messaging", error.message(), {{"group", wanted_.group}});
  if (!stopped_) later(kStoreAgain, kStorePause);
}

void LogQueue::took(const std::vector<Sequence>& sequences,
                    const std::vector<std::optional<Bytes>>& values) {
  CHECK(sequences.size() == values.size());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    auto open = items_.find(sequences[i]);
    unsigned attempts = open == items_.end() ? 0 : open->second.attempts;
    if (open != items_.end()) items_.erase(open);
    if (!values[i]) continue;
    Result<Message> message = decode(*values[i]);
    if (!message) {
      log::warn("messaging", "a message is damaged, and left out",
                {{"key", Log::message_key(sequences[i])}});
      continue;
    }
    if (matches(wanted_.pattern, message->topic)) {
      add(sequences[i], *std::move(message), attempts);
    }
  }
  changed_ = true;
  write();
  bring();
}

std::string LogQueue::lane_of(const Message& message) const {
  if (wanted_.ordering == Ordering::kNone) return {};
  if (wanted_.ordering == Ordering::kKey) {
    auto key =
        std::ranges::find(message.metadata, kKey, &std::pair<std::string, std::string>::first);
    if (key != message.metadata.end()) return "k" + key->second;
  }
  return "t" + message.topic;
}

void LogQueue::add(Sequence sequence, Message message, unsigned attempts) {
  std::string lane = lane_of(message);
  if (!lane.empty()) lanes_[lane].insert(sequence);
  items_[sequence] = {std::move(message), std::move(lane), attempts};
  make_ready(sequence);
}

// Only the first of a lane may go.
void LogQueue::make_ready(Sequence sequence) {
  const Item& item = items_.at(sequence);
  if (item.lane.empty() || *lanes_.at(item.lane).begin() == sequence) ready_.insert(sequence);
}

void LogQueue::later(Sequence sequence, std::chrono::milliseconds pause) {
  later_.emplace(loop_.now() + pause, sequence);
  timer_.arm(Deadline::at(later_.begin()->first));
}

void LogQueue::due() {
  auto now = loop_.now();
  while (!later_.empty() && later_.begin()->first <= now) {
    Sequence sequence = later_.begin()->second;
    later_.erase(later_.begin());
    if (items_.contains(sequence)) make_ready(sequence);
  }
  if (!later_.empty()) timer_.arm(Deadline::at(later_.begin()->first));
  // What was open and could not be read comes before what is new.
  std::vector<Sequence> open;
  for (const auto& [sequence, item] : items_) {
    if (item.message.topic.empty()) open.push_back(sequence);
  }
  if (!reading_ && !stopped_) fetch(std::move(open));
  if (changed_ && !writing_) write();
  bring();
  read();
}

void LogQueue::bring() {
  if (stopped_) return;
  while (out_ < wanted_.at_once && !ready_.empty()) {
    Sequence sequence = *ready_.begin();
    ready_.erase(ready_.begin());
    Item& item = items_.at(sequence);
    item.out = true;
    ++out_;
    loop_.defer(
        [self = self_, delivery = Delivery{sequence, item.message, item.attempts + 1}]() mutable {
          if (*self != nullptr) (*self)->receiver_.deliver(std::move(delivery));
        });
  }
}

void LogQueue::settle(std::uint64_t id, Verdict verdict) {
  auto found = items_.find(id);
  CHECK(found != items_.end() && found->second.out);
  using Kind = Verdict::Kind;
  if (verdict.kind == Kind::kDead) return bury(id, verdict.reason);
  found->second.out = false;
  --out_;
  if (verdict.kind == Kind::kDone) {
    done(id);
  } else {
    if (verdict.kind == Kind::kFailed) ++found->second.attempts;
    changed_ = true;
    if (!stopped_) later(id, verdict.pause);
    write();
  }
  bring();
  read();
}

void LogQueue::done(Sequence sequence) {
  auto found = items_.find(sequence);
  std::string lane = std::move(found->second.lane);
  items_.erase(found);
  if (!lane.empty()) {
    auto in_lane = lanes_.find(lane);
    in_lane->second.erase(sequence);
    if (in_lane->second.empty()) {
      lanes_.erase(in_lane);
    } else {
      ready_.insert(*in_lane->second.begin());
    }
  }
  changed_ = true;
  write();
}

// The oldest dead letters of the group make room for the next one.
void LogQueue::thin_dead() {
  std::string before = fmt::format("dead/{}/", wanted_.group);
  auto answer =
      bucket_->list(request(), before)
          .settle(while_here([before](LogQueue& queue, Result<keyvalue::Page> page) {
            if (!page) return queue.store_failed(page.error());
            std::erase_if(page->keys, [&](const auto& key) { return !key.starts_with(before); });
            if (page->keys.size() < kDeadMax) return;
            std::size_t many = page->keys.size() - kDeadMax + 1;
            std::vector<std::string_view> oldest(
                page->keys.begin(), page->keys.begin() + static_cast<std::ptrdiff_t>(many));
            auto erased = queue.bucket_->erase_many(queue.request(), oldest);
          }));
}

// It is out until it is among the dead: nothing of it may be lost in between.
void LogQueue::bury(Sequence sequence, const std::string& reason) {
  const Item& item = items_.at(sequence);
  Bytes letter = encode_dead({wanted_.group, reason, item.message});
  auto answer =
      bucket_->set(request(), Log::dead_key(wanted_.group, sequence), letter)
          .settle(while_here([sequence](LogQueue& queue, auto result) {
            queue.items_.at(sequence).out = false;
            --queue.out_;
            if (result) {
              queue.thin_dead();
              queue.done(sequence);
            } else {
              log::warn("messaging", result.error().message(), {{"group", queue.wanted_.group}});
              if (!queue.stopped_) queue.later(sequence, kStorePause);
              queue.release_if_over();
            }
            queue.bring();
            queue.read();
          }));
}

// Writes where the group stands; what changes meanwhile is written together, next.
void LogQueue::write() {
  if (writing_ || !changed_) return release_if_over();
  writing_ = true;
  changed_ = false;
  Standing standing{.position = position_, .seen_ms = now_ms()};
  for (const auto& [sequence, item] : items_) standing.open[sequence] = item.attempts;
  Bytes text = standing.encode();
  auto answer = bucket_->set(request(), Log::group_key(wanted_.group), text)
                    .settle(while_here(
                        [standing = std::move(standing)](LogQueue& queue, auto result) mutable {
                          queue.writing_ = false;
                          if (!result) {
                            // What is not written is brought again to the next one; nothing is
                            // lost.
                            queue.changed_ = !queue.stopped_;
                            queue.store_failed(result.error());
                            return queue.release_if_over();
                          }
                          std::vector<Sequence> gone =
                              queue.log_->stands(queue.wanted_.group, std::move(standing));
                          if (!gone.empty()) {
                            std::vector<std::string> keys;
                            for (Sequence each : gone) keys.push_back(Log::message_key(each));
                            std::vector<std::string_view> views(keys.begin(), keys.end());
                            // What could not be erased is found when the log is read again.
                            auto erased = queue.bucket_->erase_many(queue.request(), views);
                          }
                          queue.write();
                        }));
}

void LogQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  timer_.disarm();
  release_if_over();
}

void LogQueue::release_if_over() {
  if (!stopped_ || released_ || out_ > 0 || reading_ || writing_) return;
  if (changed_) return write();
  released_ = true;
  log_->release(wanted_.group, this);
}

}  // namespace weft::messaging
