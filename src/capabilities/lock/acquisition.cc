#include "capabilities/lock/acquisition.h"

#include <optional>
#include <utility>

#include "io/loop.h"
#include "io/timer.h"

namespace weft::lock {
namespace {

using Held = std::unique_ptr<Hold>;

// Until when the store is asked: a lock that came after nobody waits for it would be let go again.
Deadline question(Deadline call) {
  return earlier(call, Deadline::after(kAskMax));
}

// What a store answered, as a hold: null where somebody else has it.
Result<Held> hold_of(const std::shared_ptr<Locks>& locks, const LockName& lock, std::string holder,
                     Clock::time_point asked, Milliseconds ttl, const Result<Attempt>& attempt) {
  if (!attempt) {
    // It may have been taken all the same.
    locks->let_go(lock, holder);
    return std::unexpected(attempt.error());
  }
  if (attempt->token == 0) return nullptr;
  auto hold =
      std::make_unique<Hold>(locks, lock, std::move(holder), Lease(attempt->token, asked, ttl));
  if (hold->held()) return hold;
  return failure(Errc::kUnavailable,
                 "the lock's time to live passed before the answer came: ask for a longer one");
}

// What comes of a wait. Shared by the one who waits and the task that answers.
struct Outcome : Event {
  using Event::Event;
  std::optional<Result<Held>> result;
};

// One who waits for a lock. Kept by the locks until it has ended.
class Acquisition final : public Waiter, public std::enable_shared_from_this<Acquisition> {
 public:
  Acquisition(std::shared_ptr<Locks> locks, Wanted wanted, Deadline call)
      : locks_(std::move(locks)),
        wanted_(std::move(wanted)),
        key_(Locks::key(wanted_.lock)),
        call_(call),
        limit_(earlier(call, Deadline::after(wanted_.wait))),
        outcome_(std::make_shared<Outcome>(locks_->loop())),
        timer_(locks_->loop(), [this] { timed(); }) {}

  Soon<Held> begin() {
    Result<bool> first = locks_->turns()->enter(key_, locks_->loop(), shared_from_this());
    if (!first) return Result<Held>(std::unexpected(std::move(first).error()));
    locks_->keep(shared_from_this());
    if (*first) {
      ask();
    } else {
      timer_.arm(limit_);
    }
    if (outcome_->result) return *std::move(outcome_->result);
    return wait(Leaving(weak_from_this()), outcome_);
  }

  void woken() override {
    if (ended_) return;
    Loop::Turn turn(locks_->loop());
    ask();
  }

  void closed() override {
    if (ended_) return;
    stop();
    outcome_->result = failure(Errc::kCancelled, "nobody wants the lock any more");
    outcome_->happen();
  }

 private:
  // In the task's frame: the task was stopped, or has ended, and nobody waits any more.
  class Leaving {
   public:
    explicit Leaving(std::weak_ptr<Acquisition> waiter) : waiter_(std::move(waiter)) {}
    Leaving(Leaving&&) = default;
    Leaving& operator=(Leaving&&) = delete;
    ~Leaving() {
      auto waiter = waiter_.lock();
      if (waiter == nullptr || waiter->ended_) return;
      waiter->stop();
      waiter->locks_->drop(waiter);
    }

   private:
    std::weak_ptr<Acquisition> waiter_;
  };

  static Task<Held> wait(Leaving, std::shared_ptr<Outcome> outcome) {
    CO_TRY_VOID(co_await Event::wait(outcome));
    co_return *std::move(outcome->result);
  }

  void stop() {
    ended_ = true;
    timer_.disarm();
    locks_->turns()->leave(key_, *this);
  }

  void timed() {
    Loop::Turn turn(locks_->loop());
    if (limit_.passed()) return end(timeout());
    ask();
  }

  static Result<Held> timeout() {
    return failure(Errc::kTimeout, "somebody else held the lock all the time");
  }

  void ask() {
    // Released while its state was asked for: what comes may be old.
    if (asking_) {
      ask_again_ = true;
      return;
    }
    timer_.disarm();
    asking_ = true;
    ask_again_ = false;
    // Anew for each question, so that one that was not answered cannot be this one.
    std::string holder = new_holder();
    Clock::time_point asked = Clock::now();
    locks_->store()
        .take({locks_->loop(), question(call_)}, wanted_.lock, holder, wanted_.ttl)
        .settle([weak = weak_from_this(), locks = locks_, lock = wanted_.lock, holder,
                 asked](Result<Attempt> attempt) {
          auto self = weak.lock();
          if (self != nullptr && !self->ended_) {
            self->answered(holder, asked, attempt);
          } else if (!attempt || attempt->token != 0) {
            locks->let_go(lock, holder);
          }
          return Result<void>();
        });
  }

  void answered(const std::string& holder, Clock::time_point asked,
                const Result<Attempt>& attempt) {
    asking_ = false;
    Result<Held> hold = hold_of(locks_, wanted_.lock, holder, asked, wanted_.ttl, attempt);
    if (!hold || *hold != nullptr) return end(std::move(hold));
    if (limit_.passed()) return end(timeout());
    if (ask_again_)
      return locks_->loop().defer([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->again();
      });
    timer_.arm(earlier(limit_, Deadline::after(attempt->again)));
  }

  void again() {
    if (!ended_) ask();
  }

  void end(Result<Held> result) {
    stop();
    auto self = shared_from_this();
    locks_->drop(self);
    outcome_->result = std::move(result);
    outcome_->happen();
  }

  const std::shared_ptr<Locks> locks_;  // Shared with the provider and the holds.
  const Wanted wanted_;
  const std::string key_;
  const Deadline call_;
  const Deadline limit_;
  bool ended_ = false;
  bool asking_ = false;
  bool ask_again_ = false;
  const std::shared_ptr<Outcome> outcome_;
  Timer timer_;
};

}  // namespace

Soon<Held> acquire(std::shared_ptr<Locks> locks, Wanted wanted, Deadline deadline) {
  return std::make_shared<Acquisition>(std::move(locks), std::move(wanted), deadline)->begin();
}

Answer<Held> try_acquire(std::shared_ptr<Locks> locks, LockName lock, Milliseconds ttl,
                         Deadline deadline) {
  if (locks->turns()->anyone(Locks::key(lock))) return Held();
  std::string holder = new_holder();
  Clock::time_point asked = Clock::now();
  return locks->store()
      .take({locks->loop(), question(deadline)}, lock, holder, ttl)
      .settle([locks, lock, holder, asked, ttl](Result<Attempt> attempt) {
        return hold_of(locks, lock, holder, asked, ttl, attempt);
      });
}

}  // namespace weft::lock
