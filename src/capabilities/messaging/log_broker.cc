#include "capabilities/messaging/log_broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "capabilities/answer_tasks.h"
#include "capabilities/messaging/log.h"
#include "capabilities/messaging/log_format.h"
#include "capabilities/messaging/log_groups.h"
#include "capabilities/messaging/log_queue.h"
#include "io/loop.h"
#include "io/timer.h"
#include "remote/called_back.h"

namespace weft::messaging {
namespace {

constexpr std::chrono::seconds kStartTime{30};
// After its start triggers have their time to come before their groups are forgotten.
constexpr std::chrono::milliseconds kFirstLook{60'000};
// Of logs among the owners of buckets: no app is called so.
constexpr std::string_view kOwner = "weft/messages/";

// Reads what is in the store of a log, whose bucket it is.
class Starter {
 public:
  Starter(Loop& loop, std::shared_ptr<Log> log, std::shared_ptr<keyvalue::Bucket> bucket)
      : request_{loop, Deadline::after(kStartTime)},
        log_(std::move(log)),
        bucket_(std::move(bucket)) {}

  Task<void> run() {
    CO_TRY(std::int64_t epoch, co_await settled(bucket_->increment(request_, Log::kEpochKey, 1)));
    CO_TRY_VOID(co_await read_keys());
    std::map<std::string, Standing> groups;
    for (const std::string& name : names_) {
      CO_TRY(auto value, co_await settled(bucket_->get(request_, Log::group_key(name))));
      if (!value) continue;
      CO_TRY(groups[name], Standing::decode(*value));
    }
    log_->started(static_cast<std::uint64_t>(epoch), sequences_, std::move(groups), now_ms());
    co_return Result<void>();
  }

 private:
  Task<void> read_keys() {
    const std::string groups = Log::group_key("");
    std::optional<std::string> cursor;
    do {
      CO_TRY(keyvalue::Page page, co_await settled(bucket_->list(request_, cursor)));
      for (const std::string& key : page.keys) {
        if (auto sequence = Log::sequence_of(key)) sequences_.push_back(*sequence);
        if (key.starts_with(groups)) names_.push_back(key.substr(groups.size()));
      }
      cursor = std::move(page.cursor);
    } while (cursor);
    co_return Result<void>();
  }

  const keyvalue::Request request_;
  const std::shared_ptr<Log> log_;
  const std::shared_ptr<keyvalue::Bucket> bucket_;
  std::vector<std::uint64_t> sequences_;
  std::vector<std::string> names_;
};

// What one loop has of a log: the bucket, opened once.
class LogAccess : public std::enable_shared_from_this<LogAccess> {
 public:
  LogAccess(Loop& loop, std::shared_ptr<Log> log, std::unique_ptr<keyvalue::Store> store,
            BrokerName name)
      : loop_(loop),
        log_(std::move(log)),
        store_(std::move(store)),
        owner_(std::string(kOwner) + name.owner),
        name_(std::move(name.name)) {}

  Loop& loop() { return loop_; }
  // The app's name and the broker's.
  std::string_view app() const { return std::string_view(owner_).substr(kOwner.size()); }
  const std::string& name() const { return name_; }
  const std::shared_ptr<Log>& log() { return log_; }
  // Where it is ready.
  const std::shared_ptr<keyvalue::Bucket>& bucket() { return bucket_; }
  bool ready() const { return ready_; }
  // Where it is ready.
  LogSite site() { return {loop_, log_, bucket_}; }

  // Opens the bucket, and reads the log where nobody has yet.
  static Task<void> start(std::shared_ptr<LogAccess> self) {
    while (!self->ready_) {
      if (self->bucket_ == nullptr) {
        keyvalue::Request request{self->loop_, Deadline::after(kStartTime)};
        CO_TRY(auto opened,
               co_await settled(self->store_->open(request, {self->owner_, self->name_})));
        self->bucket_ = std::move(opened);
      }
      auto state = Log::State::kReady;
      auto told = remote::called_back<bool>([&](auto done) {
        auto shared = std::make_shared<decltype(done)>(std::move(done));
        state = self->log_->begin(self->loop_, [shared] { (*shared)(true); });
        if (state == Log::State::kReady) self->loop_.post([shared] { (*shared)(true); });
        if (state == Log::State::kNew) self->loop_.spawn(read(self));
      });
      CO_TRY(bool again, co_await std::move(told));
      self->ready_ = again && state == Log::State::kReady;
      if (self->failed_) co_return std::unexpected(*std::exchange(self->failed_, std::nullopt));
    }
    co_return Result<void>();
  }

 private:
  static Task<void> read(std::shared_ptr<LogAccess> self) {
    Starter starter(self->loop_, self->log_, self->bucket_);
    Result<void> done = co_await starter.run();
    if (!done) {
      self->failed_ = done.error();
      self->log_->not_started();
      co_return Result<void>();
    }
    // What could not be erased before.
    self->loop_.spawn(erase_unneeded(self->site(), Deadline::after(kStartTime)));
    co_return Result<void>();
  }

  Loop& loop_;
  const std::shared_ptr<Log> log_;
  const std::unique_ptr<keyvalue::Store> store_;
  const std::string owner_;
  const std::string name_;
  std::shared_ptr<keyvalue::Bucket> bucket_;
  bool ready_ = false;
  std::optional<Error> failed_;
};

// A queue that begins when the log is there.
class LateQueue final : public Queue {
 public:
  LateQueue(const std::shared_ptr<LogAccess>& access, Wanted wanted, Receiver& receiver)
      : self_(std::make_shared<LateQueue*>(this)),
        retry_(access->loop(), [this] { start(); }),
        access_(access),
        wanted_(std::move(wanted)),
        receiver_(receiver) {
    start();
  }
  ~LateQueue() override {
    *self_ = nullptr;
    queue_.reset();
    access_->log()->leave(wanted_.group, now_ms());
  }

  void settle(std::uint64_t id, Verdict verdict) override {
    queue_->settle(id, std::move(verdict));
  }
  void stop() override {
    stopped_ = true;
    retry_.disarm();
    if (queue_) queue_->stop();
  }
  bool idle() const override { return queue_ ? queue_->idle() : stopped_; }

 private:
  static constexpr std::chrono::seconds kRetry{1};

  void start() {
    access_->loop().spawn(LogAccess::start(access_), [self = self_](Result<void> started) {
      if (*self == nullptr || (*self)->stopped_) return;
      LateQueue& queue = **self;
      if (started) {
        queue.queue_ =
            std::make_unique<LogQueue>(queue.access_->loop(), queue.access_->log(),
                                       queue.access_->bucket(), queue.wanted_, queue.receiver_);
        return;
      }
      log::warn("messaging", started.error().message(), {{"group", queue.wanted_.group}});
      queue.retry_.arm(Deadline::after(kRetry));
    });
  }

  const std::shared_ptr<LateQueue*> self_;  // Null once the queue is gone.
  Timer retry_;
  const std::shared_ptr<LogAccess> access_;  // Shared with what is under way.
  const Wanted wanted_;
  Receiver& receiver_;
  std::unique_ptr<LogQueue> queue_;
  bool stopped_ = false;
};

// Replies that come to one request.
struct Inbox {
  std::vector<Message> came;
  std::size_t wanted;
  std::move_only_function<void()> enough;
};

class LogBroker final : public Broker {
 public:
  explicit LogBroker(std::shared_ptr<LogAccess> access)
      : access_(std::move(access)), look_(access_->loop(), [this] { look(); }) {
    look_.arm(Deadline::after(first_look()));
  }

  Answer<void> publish(Request request, Message message) override {
    TRY_VOID(check_message(message));
    if (!access_->ready())
      return promised(request.loop, publish_late(access_, request, std::move(message)));
    return publish_now(*access_, request, message);
  }

  Answer<std::vector<Message>> request(Request request, Message message,
                                       std::size_t replies) override {
    TRY_VOID(check_message(message));
    return promised(request.loop, request_task(access_, request, std::move(message), replies));
  }

  std::unique_ptr<Queue> subscribe(Wanted wanted, Receiver& receiver) override {
    access_->log()->expect(wanted.group, wanted.pattern);
    return std::make_unique<LateQueue>(access_, std::move(wanted), receiver);
  }

  Answer<std::vector<DeadLetter>> dead(Request request, std::size_t most) override {
    return promised(request.loop, dead_task(access_, request, most));
  }
  Answer<void> replay(Request request, std::string group, std::uint64_t number) override {
    return promised(request.loop, replay_task(access_, request, std::move(group), number));
  }
  Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                       std::function<void(Message)> saw) override {
    TRY_VOID(check_pattern(pattern));
    return access_->log()->watchers()->add(access_->loop(), std::move(pattern), std::move(saw));
  }
  Answer<std::vector<KnownGroup>> groups(Request request, Counted counted) override {
    return promised(request.loop, groups_task(access_, request, counted));
  }
  Answer<Forgotten> forget(Request request, std::string group) override {
    return promised(request.loop, forget_task(access_, request, std::move(group)));
  }

 private:
  static Answer<void> publish_now(LogAccess& access, Request request, const Message& message) {
    if (access.log()->reply(message)) return {};
    TRY(std::optional<Log::Place> place, access.log()->reserve(message.topic));
    access.log()->watchers()->show(message);
    if (!place) return {};
    return keep(access, request, *place, encode(message))
        .settle([log = access.log(), place = *std::move(place)](Result<void> kept) {
          log->published(place, kept);
          return kept;
        });
  }
  static Answer<void> keep(LogAccess& access, Request request, const Log::Place& place,
                           const Bytes& message) {
    keyvalue::Request here{request.loop, request.deadline};
    std::string key = Log::message_key(place.sequence);
    if (place.fresh.empty()) return access.bucket()->set(here, key, message);
    std::vector<std::string> keys;
    std::vector<Bytes> standings;
    for (auto [group, standing] : place.fresh) {
      standing.seen_ms = now_ms();
      keys.push_back(Log::group_key(group));
      standings.push_back(standing.encode());
    }
    std::vector<keyvalue::Pair> pairs = {{key, message}};
    for (std::size_t i = 0; i < keys.size(); ++i) pairs.emplace_back(keys[i], standings[i]);
    return access.bucket()->set_many(here, pairs);
  }
  static Task<void> publish_late(std::shared_ptr<LogAccess> access, Request request,
                                 Message message) {
    CO_TRY_VOID(co_await LogAccess::start(access));
    co_return co_await settled(publish_now(*access, request, message));
  }

  static Task<std::vector<Message>> request_task(std::shared_ptr<LogAccess> access, Request request,
                                                 Message message, std::size_t replies) {
    CO_TRY_VOID(co_await LogAccess::start(access));
    auto inbox = std::make_shared<Inbox>(Inbox{{}, replies, nullptr});
    std::string address = access->log()->open_inbox(request.loop, [inbox](Message reply) {
      if (inbox->came.size() < inbox->wanted) inbox->came.push_back(std::move(reply));
      if (inbox->came.size() >= inbox->wanted && inbox->enough) inbox->enough();
    });
    if (address.empty()) co_return failure(Errc::kLimit, "too many requests wait for replies");
    message.reply_to = address;
    Result<void> sent = co_await settled(publish_now(*access, request, message));
    if (sent && inbox->came.size() < inbox->wanted) {
      sent = co_await remote::called_back<void>([&](auto done) {
        auto shared = std::make_shared<decltype(done)>(std::move(done));
        auto timer = std::make_shared<std::optional<Timer>>();
        auto end = [shared, timer, inbox] {
          if (!*timer) return;
          timer->reset();
          inbox->enough = nullptr;
          (*shared)(Result<void>());
        };
        Loop& loop = request.loop;
        auto end_later = [&loop, end] { loop.post(end); };
        timer->emplace(loop, end_later);
        (*timer)->arm(request.deadline);
        inbox->enough = end_later;
      });
    }
    access->log()->close_inbox(address);
    if (!sent) co_return std::unexpected(sent.error());
    if (inbox->came.empty()) co_return failure(Errc::kTimeout, "no reply came in time");
    co_return std::move(inbox->came);
  }

  static Task<std::vector<DeadLetter>> dead_task(std::shared_ptr<LogAccess> access, Request request,
                                                 std::size_t most) {
    CO_TRY_VOID(co_await LogAccess::start(access));
    keyvalue::Request inner{request.loop, request.deadline};
    std::vector<DeadLetter> letters;
    std::optional<std::string> cursor(kLettersBegin);
    while (cursor && letters.size() < most) {
      CO_TRY(LetterPage page,
             co_await list_letters(access->site(), request.deadline, *std::move(cursor)));
      cursor = std::move(page.cursor);
      for (const LetterKey& each : page.letters) {
        if (letters.size() == most) break;
        CO_TRY(auto value, co_await settled(access->bucket()->get(inner, each.key)));
        if (!value) continue;
        CO_TRY(DeadLetter letter, decode_dead(*value));
        letter.number = Log::dead_sequence_of(each.key);
        letters.push_back(std::move(letter));
      }
    }
    co_return letters;
  }

  static Task<std::vector<KnownGroup>> groups_task(std::shared_ptr<LogAccess> access,
                                                   Request request, Counted counted) {
    CO_TRY_VOID(co_await LogAccess::start(access));
    co_return co_await known_groups(access->site(), request.deadline, counted);
  }
  static Task<Forgotten> forget_task(std::shared_ptr<LogAccess> access, Request request,
                                     std::string group) {
    CO_TRY_VOID(co_await LogAccess::start(access));
    co_return co_await forget_group(access->site(), request.deadline, std::move(group));
  }

  static Task<void> replay_task(std::shared_ptr<LogAccess> access, Request request,
                                std::string group, std::uint64_t number) {
    CO_TRY_VOID(co_await LogAccess::start(access));
    keyvalue::Request inner{request.loop, request.deadline};
    std::string key = Log::dead_key(group, number);
    CO_TRY(auto value, co_await settled(access->bucket()->get(inner, key)));
    if (!value) co_return failure(Errc::kNotFound, no_letter(group, number));
    CO_TRY(DeadLetter letter, decode_dead(*value));
    co_return access->log()->replay(group, number, std::move(letter.message));
  }

  std::chrono::milliseconds first_look() const {
    return std::min(access_->log()->bounds().look_every, kFirstLook);
  }
  // Each loop looks: it is nothing to do most of the time, and one of them does it. A log that
  // nobody has used yet is not read for that.
  void look() {
    if (!access_->ready()) return look_.arm(Deadline::after(first_look()));
    tell_orphans();
    look_.arm(Deadline::after(access_->log()->bounds().look_every));
    access_->loop().spawn(forget_old_groups(access_->site()));
  }

  void tell_orphans() {
    for (const auto& [group, messages] : access_->log()->orphans()) {
      log::warn("messaging",
                "messages are kept for a group whose trigger does not run here: it goes by itself "
                "after a week, or now with weft messages forget",
                {{"app", std::string(access_->app())},
                 {"broker", access_->name()},
                 {"group", group},
                 {"messages", std::to_string(messages)}});
    }
  }

  const std::shared_ptr<LogAccess> access_;  // Shared with what is under way.
  Timer look_;  // For groups to forget. Not what is shared: that may outlive the loop's timers.
};

class LogBackend final : public Backend {
 public:
  LogBackend(keyvalue::Backend& store, LogBounds bounds) : store_(store), bounds_(bounds) {}
  LogBackend(std::unique_ptr<keyvalue::Backend> store, LogBounds bounds)
      : owned_(std::move(store)), store_(*owned_), bounds_(bounds) {}

  Result<void> open() override { return store_.open(); }
  std::vector<Backlog> backlogs() const override {
    std::vector<Backlog> all;
    std::lock_guard hold(mutex_);
    for (const auto& [name, log] : logs_) {
      for (const auto& [group, waiting] : log->backlogs()) {
        all.push_back({.app = name.first, .name = name.second, .group = group, .waiting = waiting});
      }
    }
    return all;
  }
  std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) override {
    std::shared_ptr<Log> log;
    {
      std::lock_guard hold(mutex_);
      auto& known = logs_[{name.owner, name.name}];
      if (known == nullptr) known = std::make_shared<Log>(bounds_);
      log = known;
    }
    return std::make_unique<LogBroker>(
        std::make_shared<LogAccess>(loop, std::move(log), store_.store(loop), std::move(name)));
  }

 private:
  const std::unique_ptr<keyvalue::Backend> owned_;
  keyvalue::Backend& store_;
  const LogBounds bounds_;
  mutable std::mutex mutex_;
  // For the life of the process, as the brokers that apps name. Guarded.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Log>> logs_;
};

}  // namespace

std::unique_ptr<Backend> log_backend(keyvalue::Backend& store, LogBounds bounds) {
  return std::make_unique<LogBackend>(store, bounds);
}

std::unique_ptr<Backend> log_backend(std::unique_ptr<keyvalue::Backend> store, LogBounds bounds) {
  return std::make_unique<LogBackend>(std::move(store), bounds);
}

}  // namespace weft::messaging
