#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"

namespace weft {

// Messages for something that lives on one loop, from any thread, in the order in which each
// thread put them.
//
// Shared by those who put and the one who reads, either of whom may go first. What waits is posted
// to the loop once for all of it; whoever puts bounds how much that may be. Handler and what it
// touches belong to the loop's thread, the rest is guarded by one short lock.
template <class Message>
class Inbox : public std::enable_shared_from_this<Inbox<Message>> {
 public:
  using Handler = std::move_only_function<void(Message)>;

  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // On the loop's thread, once: each message is handed to `handler` there, never inside a put; also
  // what was put before.
  void open(Loop& loop, Handler handler) {
    handler_ = std::move(handler);
    std::lock_guard lock(mutex_);
    CHECK(state_ == State::kNew);
    state_ = State::kOpen;
    loop_ = &loop;
    if (!waiting_.empty()) post();
  }

  // From any thread. False, and the message is dropped: nobody reads any more.
  bool put(Message message) {
    std::lock_guard lock(mutex_);
    if (state_ == State::kClosed) return false;
    waiting_.push_back(std::move(message));
    if (state_ == State::kOpen && !posted_) post();
    return true;
  }

  // On the loop's thread, before the loop goes, and not by the handler: no message comes any more.
  // Returns those that were not handed over.
  std::vector<Message> close() {
    CHECK(!handing_over_);
    std::vector<Message> left;
    {
      std::lock_guard lock(mutex_);
      state_ = State::kClosed;
      loop_ = nullptr;
      left.swap(waiting_);
    }
    handler_ = nullptr;
    return left;
  }

 private:
  enum class State : unsigned char { kNew, kOpen, kClosed };

  void post() {
    posted_ = true;
    loop_->post([self = this->shared_from_this()] { self->hand_over(); });
  }

  void hand_over() {
    std::vector<Message> batch;
    {
      std::lock_guard lock(mutex_);
      posted_ = false;
      batch.swap(waiting_);
    }
    handing_over_ = true;
    for (Message& message : batch) {
      // One that fails for want of memory does not take the others along.
      try {
        handler_(std::move(message));
      } catch (const std::exception& problem) {
        log::error("loop", "a message between loops was lost", {{"why", problem.what()}});
      }
    }
    handing_over_ = false;
  }

  std::mutex mutex_;
  State state_ = State::kNew;     // Guarded, as is what follows.
  Loop* loop_ = nullptr;          // Null but while it is open.
  bool posted_ = false;           // A turn of the loop that hands over is on its way.
  std::vector<Message> waiting_;  // Bounded by those who put.

  Handler handler_;  // From here on: the loop's thread only.
  bool handing_over_ = false;
};

}  // namespace weft
