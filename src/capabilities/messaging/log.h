#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/message.h"
#include "capabilities/messaging/replays.h"
#include "capabilities/messaging/watchers.h"

namespace weft::messaging {

// Messages that one broker keeps, at most.
inline constexpr std::size_t kMessagesMax = 1'000'000;
// So many messages that wait for a group are counted, at most.
inline constexpr std::size_t kBacklogCounted = 100'000;
// How long a group is kept whose trigger does not run.
inline constexpr std::chrono::hours kGroupKept{7 * 24};
// Between two looks for groups that are to be forgotten, and how often it is written down that a
// group's trigger runs.
inline constexpr std::chrono::hours kLookEvery{1};

// Messages that are erased from the store together, at most.
inline constexpr std::size_t kErasedAtOnce = 1'000;

// What bounds a log; tests have others.
struct LogBounds {
  std::size_t messages_max = kMessagesMax;
  std::chrono::milliseconds group_kept = kGroupKept;
  std::chrono::milliseconds look_every = kLookEvery;
};

// Where a group stands: it has done with all before `position` but those that are open, with the
// attempts that were made of each.
struct Standing {
  std::uint64_t position = 0;
  std::map<std::uint64_t, unsigned> open = {};
  std::int64_t seen_ms = 0;  // Since 1970, when its trigger ran last.
  // What its trigger wanted last. Empty: one that was written before patterns were, which may want
  // anything.
  std::string pattern = {};

  Bytes encode() const;
  static Result<Standing> decode(BytesView bytes);
  bool needs(std::uint64_t sequence) const {
    return sequence >= position || open.contains(sequence);
  }
  bool wants(std::string_view topic) const { return pattern.empty() || matches(pattern, topic); }
};

// What one broker's log has, without the messages: which sequences, how far each group is, who
// waits. Shared by the loops; the messages lie in the key-value store. Each method locks.
class Log {
 public:
  using News = std::function<void()>;

  explicit Log(LogBounds bounds = {}) : bounds_(bounds) {}
  const LogBounds& bounds() const { return bounds_; }

  // Where things are in the log's bucket.
  static std::string message_key(std::uint64_t sequence);
  static std::string group_key(std::string_view group);
  static std::string dead_key(std::string_view group, std::uint64_t sequence);
  static std::optional<std::uint64_t> sequence_of(std::string_view key);
  // Of a dead letter's key; names of groups may have slashes.
  static std::uint64_t dead_sequence_of(std::string_view key);
  static std::string_view dead_group_of(std::string_view key);
  static constexpr std::string_view kEpochKey = "epoch";

  // ---- at its start, by whoever comes first ----

  enum class State : std::uint8_t { kNew, kStarting, kReady };
  // kReady, or `news` is posted to the loop when it is; kNew: the caller is to start it.
  State begin(Loop& loop, News news);
  // What was found in the store.
  void started(std::uint64_t epoch, const std::vector<std::uint64_t>& sequences,
               std::map<std::string, Standing> groups, std::int64_t now_ms);
  // It could not be read: the next one who comes tries again.
  void not_started();

  // ---- publishing ----

  // A message that is on its way.
  struct Place {
    std::uint64_t sequence = 0;
    std::uint64_t wanted = 0;  // The marks of the groups that want it.
    // The groups that want it and of which nothing was written yet, and where they stand: kept with
    // it, or they would be new again after a crash and not be brought it.
    std::vector<std::pair<std::string, Standing>> fresh = {};
  };
  // Nothing: no group wants it. kFull: no more is kept, and for whom most of it is.
  Result<std::optional<Place>> reserve(std::string_view topic);
  // It is kept, and what is fresh with it, or not: why not is logged, now and then.
  void published(const Place& place, const Result<void>& kept);

  // Whether it is a reply to a request: who waits for it is given it, if somebody still does.
  bool reply(const Message& message);
  std::string open_inbox(Loop& loop, std::function<void(Message)> arrived);
  void close_inbox(const std::string& address);

  // ---- reading ----

  // A group is there, with what comes from now on where it is new, whatever its queue waits for;
  // its trigger runs until as many have left.
  void expect(const std::string& group, std::string_view pattern);
  void leave(const std::string& group, std::int64_t now_ms);
  // A group's queue takes its turn: one at a time. `granted` is posted to the loop.
  void claim(const std::string& group, const void* who, Loop& loop, News granted);
  void release(const std::string& group, const void* who);
  Standing standing(const std::string& group) const;
  // What its trigger wants now, which may be another one than the one that is at its end.
  std::string pattern(const std::string& group) const;
  // Sequences from `from` on, at most `most`, up to the first that is still on its way.
  std::vector<std::uint64_t> after(std::uint64_t from, std::size_t most) const;
  // Tells the one who has the group of new messages, and hands it dead letters that come again.
  using Replayed = std::function<void(std::uint64_t sequence, Message message)>;
  void on_news(const std::string& group, Loop& loop, News news, Replayed replayed);
  // Whether a message was there before this start. Of a log that is ready.
  bool is_from_before(std::uint64_t sequence) const { return sequence < first_; }
  // What a queue read of messages that were there before this start: until then nobody knows which
  // groups want them, and all keep them.
  void learned(const std::vector<std::pair<std::uint64_t, std::string>>& topics);
  // It was written that the group stands so. What nobody needs any more is no longer in the log:
  // to be erased from the store.
  std::vector<std::uint64_t> stands(const std::string& group, Standing standing);

  // ---- groups whose triggers do not run ----

  // Those that messages wait for, as `backlogs` counts them, each once until its trigger runs
  // again.
  std::map<std::string, std::uint64_t> orphans();
  // Those that have not for so long that they are to be forgotten.
  std::vector<std::string> due(std::int64_t now_ms) const;
  // There is no such group any more. `erase` has the store erase where it stands; called with the
  // lock, before anything can be written of a new group of that name. How many messages waited for
  // it. kNotFound: there is none; kConflict: its trigger runs.
  Result<std::uint64_t> forget(const std::string& group, const std::function<void()>& erase);
  // All that no group needs is no longer in the log: to be erased from the store.
  std::vector<std::uint64_t> sweep();

  // ---- for operators ----

  // Of each group how many messages it has not done with; of what it has not looked at the next
  // kBacklogCounted messages are looked through.
  std::map<std::string, std::uint64_t> backlogs() const;

  // Without their dead letters. What waits for them is counted where that is wanted: it takes time
  // by the messages that there are.
  std::vector<KnownGroup> groups(Counted counted, std::int64_t now_ms) const;
  // Posts a dead letter to the queue that has the group. kConflict: it was before, and is not done;
  // kUnavailable: no queue has the group.
  Result<void> replay(const std::string& group, std::uint64_t sequence, Message message);
  Replays& replays() { return replays_; }
  const std::shared_ptr<Watchers>& watchers() const { return watchers_; }

 private:
  struct Waiter {
    Loop* loop;
    News news;
  };
  struct Claim {
    const void* who;
    Waiter waiter;
  };
  struct Group {
    Standing standing;
    bool written = false;    // The store has a standing of it.
    std::uint64_t mark = 0;  // One bit, in what messages have of who wants them.
    std::size_t users = 0;   // Its triggers that run, on whatever loop.
    bool told = false;       // Of being without one.
    std::deque<Claim> claims;
    std::optional<Waiter> news;
    Replayed replayed;  // Where there is news.
  };

  // Of a message of which nobody knows who wants it.
  static constexpr std::uint64_t kAnybody = ~std::uint64_t{0};
  using Kept = std::map<std::uint64_t, std::uint64_t>;

  static void tell(const Waiter& waiter);
  Group& group_of(const std::string& name);
  bool needed(const Kept::value_type& message) const;
  // Of what it has not looked at, the next `most` messages are looked through.
  std::uint64_t backlog(const Group& group, std::size_t most = kMessagesMax) const;
  Error full();
  void tell_lost(const Error& why);

  const LogBounds bounds_;
  Replays replays_;
  const std::shared_ptr<Watchers> watchers_ = std::make_shared<Watchers>();
  mutable std::mutex mutex_;
  State state_ = State::kNew;
  std::vector<Waiter> waiting_;
  std::uint64_t first_ = 0;  // Of this start; set before it is ready, and not again.
  std::uint64_t next_ = 0;
  std::set<std::uint64_t> under_way_;
  Kept kept_;  // By sequence, the marks of those who want it.
  std::map<std::string, Group, std::less<>> groups_;
  // Why no more is kept, as it was told last; counting that takes a while.
  std::string full_why_;
  Deadline full_told_ = Deadline::after(std::chrono::milliseconds(0));
  // Messages that the store did not keep, since that was told last.
  std::uint64_t lost_ = 0;
  Deadline lost_told_ = Deadline::after(std::chrono::milliseconds(0));
  struct Inbox {
    Loop* loop;
    std::shared_ptr<std::function<void(Message)>> arrived;
  };
  std::map<std::string, Inbox, std::less<>> inboxes_;
  std::uint64_t inboxes_made_ = 0;
};

}  // namespace weft::messaging
