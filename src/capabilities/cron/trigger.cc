#include "capabilities/cron/trigger.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <random>
#include <utility>

#include "base/log.h"
#include "capabilities/answer_tasks.h"
#include "capabilities/cron/occurrence.h"
#include "io/loop.h"

namespace weft::cron {
namespace {

using lock::Hold;

// No app is called so.
constexpr std::string_view kOwner = "weft:cron";
constexpr const char* kLockLost = "the lock was lost during a run";

Error gone() {
  return {Errc::kCancelled, "nobody waits for it any more"};
}

}  // namespace

struct CronTrigger::State : std::enable_shared_from_this<CronTrigger::State> {
  State(const Waking& waking, TriggerOptions given, Keeping kept)
      : loop(waking.loop),
        app(waking.app),
        component(waking.component),
        calls(waking.calls),
        runs(waking.meter),
        options(std::move(given)),
        keeping(std::move(kept)),
        key(fmt::format("{}/{}", component, options.text)),
        again(loop, [this] { look(); }),
        renew(loop, [this] { renew_lock(); }) {}

  void look();
  void look_in(std::chrono::nanoseconds wait) {
    if (!stopped) again.arm(Deadline::after(wait));
  }
  void renew_lock();
  void ended(Result<void> turn);
  void tell(std::string_view what, std::string_view why) const {
    log::warn("cron", std::string(what),
              {{"app", app},
               {"component", component},
               {"schedule", options.text},
               {"why", std::string(why)}});
  }
  void tell_failed(sys_seconds due, std::string_view why) const {
    log::warn("cron", "a run failed",
              {{"app", app},
               {"component", component},
               {"schedule", options.text},
               {"due", shown_time(options.zone, due)},
               {"why", std::string(why)}});
  }
  void tell_skipped(sys_seconds done) const {
    auto first = options.schedule.next(options.zone, done);
    log::info("cron", "what was due while nobody was there is left out: missed is \"skip\"",
              {{"app", app},
               {"component", component},
               {"schedule", options.text},
               {"first", first ? shown_time(options.zone, *first) : ""}});
  }
  lock::Request request() const { return {loop, Deadline::after(kAskMax)}; }

  // Everything under way has the state weakly, and asks whether it is still there after each wait.
  using Weak = std::weak_ptr<State>;
  static Task<void> turn(Weak weak);
  static Task<Record> read(Weak weak);
  static Task<void> write(Weak weak, Record record);
  static Task<void> run(Weak weak, sys_seconds due, std::uint64_t token);
  static bool holds(const Weak& weak) {
    auto self = weak.lock();
    return self != nullptr && self->hold != nullptr && self->hold->held();
  }
  static Task<void> pause(Weak weak, std::chrono::milliseconds wait);

  Loop& loop;
  const std::string app;
  const std::string component;
  HandlerCalls& calls;
  const RunCount runs;
  const TriggerOptions options;
  const Keeping keeping;
  const std::string key;
  std::optional<Record> known;            // As it was when it was read or written last.
  std::optional<sys_seconds> waited_for;  // The time whose jitter is over.
  std::optional<sys_seconds> ran;         // The time of the last run here that has ended.
  std::unique_ptr<Hold> hold;             // During a turn.
  keyvalue::Snapshot basis;               // What a record is written after.
  bool stopped = false;
  bool busy = false;        // A turn is under way.
  std::size_t running = 0;  // Runs that may overlap, also while they wait for room.
  std::minstd_rand random{std::random_device{}()};
  Timer again;
  Timer renew;
};

CronTrigger::CronTrigger(const Waking& waking, TriggerOptions options, Keeping keeping)
    : state_(std::make_shared<State>(waking, std::move(options), std::move(keeping))) {
  state_->look_in(std::chrono::nanoseconds(0));
}

CronTrigger::~CronTrigger() {
  stop();
  state_->keeping.locks->close();
}

void CronTrigger::stop() {
  state_->stopped = true;
  state_->again.disarm();
}

bool CronTrigger::idle() const {
  return !state_->busy && state_->running == 0;
}

void CronTrigger::look() {
  state_->look();
}

void CronTrigger::State::look() {
  if (stopped || busy) return;
  sys_seconds now = options.now();
  if (known) {
    std::optional<sys_seconds> next = options.schedule.next(options.zone, known->done);
    if (!next) return;
    if (*next > now) return look_in(std::min<seconds>(*next - now, kLookAgain));
    if (options.jitter.count() > 0 && waited_for != *next) {
      waited_for = *next;
      std::uniform_int_distribution<std::int64_t> some(0, options.jitter.count());
      return look_in(std::chrono::milliseconds(some(random)));
    }
  }
  busy = true;
  loop.spawn(turn(weak_from_this()), [weak = weak_from_this()](Result<void> done) {
    if (auto self = weak.lock()) self->ended(std::move(done));
  });
}

void CronTrigger::State::ended(Result<void> turn) {
  Loop::Turn open(loop);
  busy = false;
  renew.disarm();
  hold = nullptr;
  if (turn) return look_in(std::chrono::nanoseconds(0));
  // Somebody else has the schedule, which is no news.
  if (turn.error().code() != Errc::kConflict) {
    tell("a schedule cannot be kept", turn.error().message());
  }
  look_in(kElsewhere);
}

void CronTrigger::State::renew_lock() {
  if (hold == nullptr) return;
  renew.arm(Deadline::after(kRunTtl / 3));
  auto answer = hold->renew(Deadline::after(kRunTtl / 3), kRunTtl)
                    .settle([weak = weak_from_this()](const Result<bool>& renewed) {
                      auto self = weak.lock();
                      if (self != nullptr && renewed && !*renewed) {
                        self->tell("a run goes on without its lock", "it was lost");
                      }
                      return Nothing();
                    });
}

Task<Record> CronTrigger::State::read(Weak weak) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  keyvalue::Request asked{self->loop, Deadline::after(kAskMax)};
  auto opened = self->keeping.records->open(asked, {kOwner, self->keeping.scope});
  std::string key = self->key;
  self = nullptr;
  CO_TRY(std::unique_ptr<keyvalue::Bucket> bucket, co_await settled(std::move(opened)));
  CO_TRY(keyvalue::Snapshot snapshot, co_await settled(bucket->snapshot(asked, key)));
  self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  Record record;
  if (snapshot.value) {
    CO_TRY(record, Record::parse(as_text(*snapshot.value)));
  }
  self->basis = std::move(snapshot);
  co_return record;
}

Task<void> CronTrigger::State::write(Weak weak, Record record) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  keyvalue::Request asked{self->loop, Deadline::after(kAskMax)};
  auto opened = self->keeping.records->open(asked, {kOwner, self->keeping.scope});
  std::string key = self->key;
  keyvalue::Snapshot basis = self->basis;
  self = nullptr;
  CO_TRY(std::unique_ptr<keyvalue::Bucket> bucket, co_await settled(std::move(opened)));
  std::string text = record.text();
  CO_TRY(std::optional<keyvalue::Snapshot> other,
         co_await settled(bucket->swap(asked, key, basis, as_bytes(text))));
  if (other) co_return failure(Errc::kUnavailable, "another host has written it meanwhile");
  self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  self->known = record;
  co_return Result<void>();
}

Task<void> CronTrigger::State::pause(Weak weak, std::chrono::milliseconds wait) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  boost::asio::steady_timer timer(self->loop.context(), wait);
  self = nullptr;
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  co_return Result<void>();
}

// One call of the handler, as soon as there is room for it.
Task<void> CronTrigger::State::run(Weak weak, sys_seconds due, std::uint64_t token) {
  Deadline room = Deadline::after(kRoomWait);
  for (;;) {
    auto self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    Task<void> call =
        call_handler(self->calls, self->runs, {self->options.text, seconds_of(due), token});
    self = nullptr;
    Result<void> outcome = co_await std::move(call);
    self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    if (outcome) co_return Result<void>();
    if (outcome.error().code() != Errc::kUnavailable || room.passed()) {
      self->tell_failed(due, outcome.error().message());
      co_return Result<void>();
    }
    self = nullptr;
    CO_TRY_VOID(co_await pause(weak, kNoRoomPause));
  }
}

// Has the schedule's lock, does what is due, and writes down that it is done.
Task<void> CronTrigger::State::turn(Weak weak) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  auto asked = lock::try_acquire(self->keeping.locks, {self->keeping.scope, self->key}, kRunTtl,
                                 Deadline::after(kAskMax));
  self = nullptr;
  CO_TRY(std::unique_ptr<Hold> hold, co_await settled(std::move(asked)));
  if (hold == nullptr) co_return failure(Errc::kConflict, "another host has the schedule");
  self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  std::uint64_t token = hold->token();
  self->hold = std::move(hold);
  self->renew.arm(Deadline::after(kRunTtl / 3));
  self = nullptr;
  CO_TRY(Record record, co_await read(weak));
  self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  sys_seconds now = self->options.now();
  if (!self->basis.value) {
    // It is new: what was due before is nobody's.
    self = nullptr;
    co_return co_await write(weak, {now, token});
  }
  self->known = record;
  // What is late by its jitter is not missed.
  seconds late = kLateMax + std::chrono::ceil<seconds>(self->options.jitter);
  std::vector<sys_seconds> runs =
      due(self->options.schedule, self->options.zone, record.done, now, self->options.missed, late);
  bool passed =
      self->options.schedule.next(self->options.zone, record.done).value_or(now + seconds(1)) <=
      now;
  if (!passed) co_return Result<void>();
  if (runs.empty()) self->tell_skipped(record.done);
  // What ran here and could not be written down is only written down.
  std::erase_if(runs, [&](sys_seconds each) { return self->ran && each <= *self->ran; });
  if (self->options.overlap) {
    self = nullptr;
    CO_TRY_VOID(co_await write(weak, {now, token}));
    self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    for (sys_seconds each : runs) {
      if (self->running < kOverlapMax) {
        ++self->running;
        self->loop.spawn(run(weak, each, token), [weak](const Result<void>&) {
          if (auto state = weak.lock()) --state->running;
        });
      } else {
        self->tell("a run was left out", fmt::format("{} are under way", kOverlapMax));
      }
    }
    co_return Result<void>();
  }
  self = nullptr;
  for (sys_seconds each : runs) {
    CO_TRY_VOID(co_await run(weak, each, token));
    self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    self->ran = each;
    bool last_one = self->stopped;
    self = nullptr;
    if (each == runs.back()) break;
    // One after the other is written down, so that none is done twice: also without the lock, since
    // it is written only where nobody else has written.
    CO_TRY_VOID(co_await write(weak, {each, token}));
    if (last_one) co_return Result<void>();
    if (!holds(weak)) co_return failure(Errc::kUnavailable, kLockLost);
    CO_TRY(record, co_await read(weak));
  }
  co_return co_await write(weak, {now, token});
}

}  // namespace weft::cron
