#include "node/events/event_log.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/thread_name.h"
#include "node/events/event_writer.h"

namespace weft::node::events {
namespace {

// So long nothing has come when the mark is flushed: nobody waits for it then.
constexpr std::chrono::milliseconds kMarkIdle{50};

}  // namespace

EventLog::Room::~Room() {
  if (log_ != nullptr) log_->give_back();
}

EventLog::Following::~Following() {
  if (log_ != nullptr) log_->unfollow(id_);
}

Result<std::unique_ptr<EventLog>> EventLog::open(std::filesystem::path folder,
                                                 const PublicKey& node, EventLogOptions options) {
  CHECK(options.queue_bytes >= kFrameBytesMax);
  TRY(auto writer, EventWriter::open(folder, node, options));
  return std::unique_ptr<EventLog>(
      new EventLog(std::move(folder), std::move(writer), options.queue_bytes));
}

EventLog::EventLog(std::filesystem::path folder, std::unique_ptr<EventWriter> writer,
                   std::size_t queue_bytes)
    : folder_(std::move(folder)),
      writer_(std::move(writer)),
      cut_bytes_(writer_->cut_bytes()),
      queue_bytes_max_(queue_bytes),
      durable_(writer_->last().sequence),
      last_(writer_->last().sequence),
      thread_([this] { run(); }) {}

EventLog::~EventLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  queued_.notify_all();
  thread_.join();
}

Result<EventLog::Room> EventLog::reserve() {
  std::lock_guard lock(mutex_);
  if (ended_) return std::unexpected(*ended_);
  std::size_t taken = queue_.size() + writing_bytes_ + reserved_ * kFrameBytesMax;
  if (taken + kFrameBytesMax > queue_bytes_max_) {
    return failure(Errc::kLimit,
                   "the log of events has no room for another: the disk is slower than what is "
                   "asked of this node; try again later");
  }
  ++reserved_;
  return Room(this);
}

void EventLog::give_back() {
  std::lock_guard lock(mutex_);
  CHECK(reserved_ > 0);
  --reserved_;
}

Result<std::uint64_t> EventLog::append(Event event, Durable durable) {
  TRY(Room room, reserve());
  return append(std::move(event), std::move(room), std::move(durable));
}

Result<std::uint64_t> EventLog::append(Event event, Room room, Durable durable) {
  CHECK(room.log_ == this);
  // Written before the lock is taken; the number is put in afterwards.
  Bytes frame;
  frame.reserve(kFrameBytesMax);
  append_frame(frame, event);
  bool wake = false;
  std::uint64_t sequence = 0;
  {
    std::lock_guard lock(mutex_);
    if (ended_) return std::unexpected(*ended_);
    sequence = ++last_;
    std::memcpy(frame.data() + kFrameLengthBytes + kEventSequenceOffset, &sequence,
                sizeof sequence);
    queue_.insert(queue_.end(), frame.begin(), frame.end());
    if (durable) waiting_.push_back({sequence, std::move(durable)});
    --reserved_;
    room.log_ = nullptr;
    wake = std::exchange(idle_, false);
  }
  if (wake) queued_.notify_one();
  return sequence;
}

Result<void> EventLog::wait(std::uint64_t sequence, Deadline deadline) {
  std::unique_lock lock(mutex_);
  auto settled = [&] { return durable() >= sequence || ended_; };
  if (deadline.is_never()) {
    settled_.wait(lock, settled);
  } else if (!settled_.wait_until(lock, deadline.when(), settled)) {
    return failure(Errc::kTimeout, "the event was not durable in time");
  }
  if (durable() >= sequence) return {};
  return std::unexpected(*ended_);
}

EventLog::Following EventLog::follow(Follow callback) {
  std::lock_guard lock(following_mutex_);
  following_.emplace(++following_id_, std::move(callback));
  return Following(this, following_id_);
}

void EventLog::unfollow(std::uint64_t id) {
  std::lock_guard lock(following_mutex_);
  following_.erase(id);
}

void EventLog::run() {
  name_thread("weft-events");
  auto mark_flushed = Deadline::Clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    bool mark_due = await_events(lock);
    bool done = queue_.empty() && stopping_;
    if (!ended_ && !queue_.empty()) write_queue(lock);
    if (ended_) return wait_for_end(lock);
    mark_due = mark_due || done || Deadline::Clock::now() - mark_flushed >= kMarkFlushMax;
    if (mark_due && !writer_->mark_is_flushed()) {
      lock.unlock();
      auto flushed = writer_->flush_mark();
      mark_flushed = Deadline::Clock::now();
      lock.lock();
      if (!flushed) end(lock, std::move(flushed).error());
    }
    if (done) return;
  }
}

// Until there is something to write or to end. Whether nothing came for a while first.
bool EventLog::await_events(std::unique_lock<std::mutex>& lock) {
  auto ready = [&] { return !queue_.empty() || stopping_; };
  if (ready()) return false;
  idle_ = true;
  bool waited_long = false;
  if (writer_->mark_is_flushed()) {
    queued_.wait(lock, ready);
  } else {
    waited_long = !queued_.wait_for(lock, kMarkIdle, ready);
  }
  idle_ = false;
  return waited_long;
}

void EventLog::write_queue(std::unique_lock<std::mutex>& lock) {
  writing_.clear();
  std::swap(writing_, queue_);
  writing_bytes_ = writing_.size();
  std::vector<Waiting> waiting = std::exchange(waiting_, {});
  lock.unlock();
  Result<void> outcome = writer_->write(writing_);
  lock.lock();
  writing_bytes_ = 0;
  std::uint64_t durable = writer_->last().sequence;
  if (!outcome) {
    waiting.insert(waiting.end(), std::make_move_iterator(waiting_.begin()),
                   std::make_move_iterator(waiting_.end()));
    waiting_ = std::move(waiting);
    return end(lock, std::move(outcome).error());
  }
  durable_.store(durable, std::memory_order_release);
  settled_.notify_all();
  lock.unlock();
  for (Waiting& each : waiting) each.tell({});
  waiting.clear();
  {
    std::lock_guard following(following_mutex_);
    for (auto& [id, callback] : following_) callback(durable);
  }
  lock.lock();
}

std::optional<Error> EventLog::ended() const {
  std::lock_guard hold(mutex_);
  return ended_;
}

// Nothing is written any more: what may be on disk is looked at by the next open.
void EventLog::end(std::unique_lock<std::mutex>& lock, Error why) {
  ended_ = std::move(why).within("the log of events has ended");
  std::vector<Waiting> waiting = std::exchange(waiting_, {});
  queue_.clear();
  settled_.notify_all();
  Result<void> outcome = std::unexpected(*ended_);
  lock.unlock();
  for (Waiting& each : waiting) each.tell(outcome);
  lock.lock();
}

void EventLog::wait_for_end(std::unique_lock<std::mutex>& lock) {
  queued_.wait(lock, [&] { return stopping_; });
}

}  // namespace weft::node::events
