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

// Where a group stands: it has done with all before `position` but those that are open, with the
// attempts that were made of each.
struct Standing {
  std::uint64_t position = 0;
  std::map<std::uint64_t, unsigned> open = {};
  std::int64_t seen_ms = 0;  // Since 1970, when it was written last.

  Bytes encode() const;
  static Result<Standing> decode(BytesView bytes);
  bool needs(std::uint64_t sequence) const {
    return sequence >= position || open.contains(sequence);
  }
};

// What one broker's log has, without the messages: which sequences, how far each group is, who
// waits. Shared by the loops; the messages lie in the key-value store. Each method locks.
class Log {
 public:
  using News = std::function<void()>;

  // Where things are in the log's bucket.
  static std::string message_key(std::uint64_t sequence);
  static std::string group_key(std::string_view group);
  static std::string dead_key(std::string_view group, std::uint64_t sequence);
  static std::optional<std::uint64_t> sequence_of(std::string_view key);
  // Of a dead letter's key.
  static std::uint64_t dead_sequence_of(std::string_view key);
  static constexpr std::string_view kEpochKey = "epoch";

  // ---- at its start, by whoever comes first ----

  enum class State : std::uint8_t { kNew, kStarting, kReady };
  // kReady, or `news` is posted to the loop when it is; kNew: the caller is to start it.
  State begin(Loop& loop, News news);
  // What was found in the store. The groups that nobody asked for in kGroupKept are left out, and
  // returned.
  std::vector<std::string> started(std::uint64_t epoch, std::vector<std::uint64_t> sequences,
                                   std::map<std::string, Standing> groups, std::int64_t now_ms);
  // It could not be read: the next one who comes tries again.
  void not_started();

  // ---- publishing ----

  // A message that is on its way.
  struct Place {
    std::uint64_t sequence = 0;
    // The groups that want it and of which nothing was written yet, and where they stand: kept with
    // it, or they would be new again after a crash and not be brought it.
    std::vector<std::pair<std::string, Standing>> fresh = {};
  };
  // Nothing: no group wants it. kFull: no more is kept.
  Result<std::optional<Place>> reserve(std::string_view topic);
  // It is kept, and what is fresh with it, or not.
  void settled(const Place& place, bool kept);

  // Whether it is a reply to a request: who waits for it is given it, if somebody still does.
  bool reply(const Message& message);
  std::string open_inbox(Loop& loop, std::function<void(Message)> arrived);
  void close_inbox(const std::string& address);

  // ---- reading ----

  // A group is there, with what comes from now on where it is new, whatever its queue waits for.
  void expect(const std::string& group, std::string_view pattern);
  // A group's queue takes its turn: one at a time. `granted` is posted to the loop.
  void claim(const std::string& group, const void* who, Loop& loop, News granted);
  void release(const std::string& group, const void* who);
  Standing standing(const std::string& group) const;
  // Sequences from `from` on, at most `most`, up to the first that is still on its way.
  std::vector<std::uint64_t> after(std::uint64_t from, std::size_t most) const;
  // Tells the one who has the group of new messages, and hands it dead letters that come again.
  using Replayed = std::function<void(std::uint64_t sequence, Message message)>;
  void on_news(const std::string& group, Loop& loop, News news, Replayed replayed);
  // It was written that the group stands so. What nobody needs any more is no longer in the log:
  // to be erased from the store.
  std::vector<std::uint64_t> stands(const std::string& group, Standing standing);

  // ---- for operators ----

  // Of each group how many messages it has not done with: up to kBacklogCounted of those that it
  // has not looked at, which may be of topics that it does not want.
  std::map<std::string, std::uint64_t> backlogs() const;

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
    bool written = false;  // The store has a standing of it.
    std::string pattern;   // Empty: its trigger does not run.
    std::deque<Claim> claims;
    std::optional<Waiter> news;
    Replayed replayed;  // Where there is news.
  };

  static void tell(const Waiter& waiter);
  std::vector<std::uint64_t> trim();

  Replays replays_;
  const std::shared_ptr<Watchers> watchers_ = std::make_shared<Watchers>();
  mutable std::mutex mutex_;
  State state_ = State::kNew;
  std::vector<Waiter> waiting_;
  std::uint64_t next_ = 0;
  std::set<std::uint64_t> under_way_;
  std::set<std::uint64_t> kept_;
  std::map<std::string, Group, std::less<>> groups_;
  struct Inbox {
    Loop* loop;
    std::shared_ptr<std::function<void(Message)>> arrived;
  };
  std::map<std::string, Inbox, std::less<>> inboxes_;
  std::uint64_t inboxes_made_ = 0;
};

}  // namespace weft::messaging
