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

}  // namespace

LogQueue::LogQueue(Loop& loop, std::shared_ptr<Log> log, std::shared_ptr<keyvalue::Bucket> bucket,
                   Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<LogQueue*>(this)),
      loop_(loop),
      log_(std::move(log)),
      bucket_(std::move(bucket)),
      group_(wanted.group),
      deliveries_(loop, std::move(wanted), receiver),
      store_timer_(loop, [this] { ask_store_again(); }),
      seen_timer_(loop, [this] { seen(); }) {
  log_->claim(group_, this, loop_, [self = self_] {
    if (*self != nullptr) (*self)->take_over();
  });
}

LogQueue::~LogQueue() {
  *self_ = nullptr;
  end_replays();
  if (!released_) log_->release(group_, this);
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
  Standing standing = log_->standing(group_);
  position_ = standing.position;
  log_->on_news(
      group_, loop_,
      [self = self_] {
        if (*self != nullptr) (*self)->read();
      },
      // The log has it, and goes with its last user.
      [self = self_, weak = std::weak_ptr(log_), group = group_](Sequence sequence,
                                                                 Message message) {
        if (*self != nullptr) return (*self)->replayed(sequence, std::move(message));
        if (auto log = weak.lock()) log->replays().end(group, sequence);
      });
  // Taken, so that they stay open whatever happens before they are read.
  unread_ = std::move(standing.open);
  // The group is known from now on.
  seen();
  read();
}

// A group to which nothing comes is not forgotten as long as its trigger runs, nor at the next
// start.
void LogQueue::seen() {
  seen_timer_.arm(Deadline::after(log_->bounds().look_every));
  changed_ = true;
  write();
}

// Reads on from the position, as far as there is room.
void LogQueue::read() {
  if (!has_turn_ || stopped_ || reading_) return;
  // What was open comes before what is new.
  std::vector<Sequence> open;
  for (const auto& [sequence, attempts] : unread_) open.push_back(sequence);
  fetch(open.empty() ? log_->after(position_, deliveries_.room()) : std::move(open));
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
  log::warn("messaging", error.message(), {{"group", group_}});
  if (!stopped_) store_timer_.arm(Deadline::after(kStorePause));
}

void LogQueue::ask_store_again() {
  if (changed_ && !writing_) write();
  read();
}

void LogQueue::took(const std::vector<Sequence>& sequences,
                    const std::vector<std::optional<Bytes>>& values) {
  CHECK(sequences.size() == values.size());
  std::vector<std::pair<Sequence, std::string>> topics;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    auto open = unread_.extract(sequences[i]);
    unsigned attempts = open.empty() ? 0 : open.mapped();
    if (!values[i]) continue;
    Result<Message> message = decode(*values[i]);
    if (!message) {
      log::warn("messaging", "a message is damaged, and left out",
                {{"key", Log::message_key(sequences[i])}});
      continue;
    }
    if (log_->is_from_before(sequences[i])) topics.emplace_back(sequences[i], message->topic);
    if (matches(deliveries_.wanted().pattern, message->topic)) {
      deliveries_.add({sequences[i], *std::move(message), attempts});
    }
  }
  if (!topics.empty()) log_->learned(topics);
  changed_ = true;
  write();
  deliveries_.bring();
}

// A dead letter comes again. One that is just being put among them is held still, or comes anyhow
// where a crash came before that was written down; and one for a queue that ends is not taken. It
// stays a dead letter then.
void LogQueue::replayed(Sequence sequence, Message message) {
  bool comes = deliveries_.holds(sequence) || unread_.contains(sequence) || sequence >= position_;
  if (stopped_ || comes) return log_->replays().end(group_, sequence);
  replayed_.insert(sequence);
  deliveries_.add({sequence, std::move(message)});
  deliveries_.bring();
}

// It was done, and is no dead letter any more. Until that is written it does not come again.
void LogQueue::replay_over(Sequence sequence) {
  auto answer = bucket_->erase(request(), Log::dead_key(group_, sequence))
                    .settle([log = log_, group = group_, sequence](Result<void> erased) {
                      if (!erased) {
                        log::warn("messaging", "a message was handled and stays a dead letter",
                                  {{"group", group}, {"why", erased.error().message()}});
                      }
                      log->replays().end(group, sequence);
                      return Nothing();
                    });
}

// What is held of them stays among the dead letters.
void LogQueue::end_replays() {
  for (Sequence each : std::exchange(replayed_, {})) log_->replays().end(group_, each);
}

void LogQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  if (verdict.kind == Kind::kDead) return bury(id, verdict.reason);
  if (verdict.kind == Kind::kDone) {
    if (replayed_.erase(id) > 0) replay_over(id);
    deliveries_.done(id);
  } else {
    deliveries_.again(id, verdict.kind, verdict.pause);
  }
  changed_ = true;
  write();
  deliveries_.bring();
  read();
}

// The oldest dead letters of the group make room for the one that was written last. Names of groups
// have slashes: a key is this group's where nothing but a number is behind its name.
void LogQueue::thin_dead() {
  std::string before = fmt::format("dead/{}/", group_);
  auto answer =
      bucket_->list(request(), before)
          .settle(while_here([before](LogQueue& queue, Result<keyvalue::Page> page) {
            if (!page) return queue.store_failed(page.error());
            std::erase_if(page->keys, [&](const auto& key) {
              return !key.starts_with(before) || key.size() != before.size() + kDeadNumberDigits;
            });
            if (page->keys.size() <= kDeadMax) return;
            std::size_t many = page->keys.size() - kDeadMax;
            std::vector<std::string_view> oldest(
                page->keys.begin(), page->keys.begin() + static_cast<std::ptrdiff_t>(many));
            auto erased = queue.bucket_->erase_many(queue.request(), oldest);
          }));
}

// It is out until it is among the dead: nothing of it may be lost in between.
void LogQueue::bury(Sequence sequence, const std::string& reason) {
  const Deliveries::Held& held = deliveries_.delivered(sequence);
  Bytes letter = encode_dead({group_, reason, held.message, held.attempts + 1});
  auto answer = bucket_->set(request(), Log::dead_key(group_, sequence), letter)
                    .settle(while_here([sequence](LogQueue& queue, auto result) {
                      if (result) {
                        queue.thin_dead();
                        queue.deliveries_.done(sequence);
                        if (queue.replayed_.erase(sequence) > 0) {
                          queue.log_->replays().end(queue.group_, sequence);
                        }
                        queue.changed_ = true;
                        queue.write();
                      } else {
                        log::warn("messaging", result.error().message(), {{"group", queue.group_}});
                        queue.deliveries_.again(sequence, Verdict::Kind::kAgain, kStorePause);
                        queue.release_if_over();
                      }
                      queue.deliveries_.bring();
                      queue.read();
                    }));
}

// What could not be erased is found when the log is read again.
void LogQueue::erase(std::span<const Sequence> gone) {
  while (!gone.empty()) {
    std::size_t many = std::min(gone.size(), kErasedAtOnce);
    std::vector<std::string> keys;
    for (Sequence each : gone.first(many)) keys.push_back(Log::message_key(each));
    std::vector<std::string_view> views(keys.begin(), keys.end());
    auto erased = bucket_->erase_many(request(), views);
    gone = gone.subspan(many);
  }
}

// Writes where the group stands; what changes meanwhile is written together, next.
void LogQueue::write() {
  if (writing_ || !changed_) return release_if_over();
  writing_ = true;
  changed_ = false;
  Standing standing{.position = position_, .seen_ms = now_ms(), .pattern = log_->pattern(group_)};
  standing.open = unread_;
  deliveries_.each([&](const auto& held) {
    if (!replayed_.contains(held.id)) standing.open[held.id] = held.attempts;
  });
  Bytes text = standing.encode();
  auto answer =
      bucket_->set(request(), Log::group_key(group_), text)
          .settle(
              while_here([standing = std::move(standing)](LogQueue& queue, auto result) mutable {
                queue.writing_ = false;
                if (!result) {
                  // What is not written is brought again to the next one; nothing is
                  // lost.
                  queue.changed_ = !queue.stopped_;
                  queue.store_failed(result.error());
                  return queue.release_if_over();
                }
                std::vector<Sequence> gone = queue.log_->stands(queue.group_, std::move(standing));
                queue.erase(gone);
                queue.write();
              }));
}

void LogQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  store_timer_.disarm();
  seen_timer_.disarm();
  deliveries_.stop();
  release_if_over();
}

void LogQueue::release_if_over() {
  if (!stopped_ || released_ || deliveries_.out() > 0 || reading_ || writing_) return;
  if (changed_) return write();
  released_ = true;
  end_replays();
  log_->release(group_, this);
}

}  // namespace weft::messaging
