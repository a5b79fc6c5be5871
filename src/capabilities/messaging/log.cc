#include "capabilities/messaging/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <random>
#include <utility>

#include "base/buffer.h"
#include "base/check.h"
#include "base/log.h"
#include "door/values.h"
#include "io/loop.h"

namespace weft::messaging {
namespace {

constexpr std::string_view kMessages = "log/";
constexpr std::string_view kReplies = "_reply.";
// Each start of a log has sequences of its own: none is given twice, whatever was lost.
constexpr unsigned kEpochShift = 32;
constexpr std::uint64_t kEpochMax = std::uint64_t{1} << 31;
// Requests of one broker that wait for replies.
constexpr std::size_t kInboxesMax = 65'536;
// So many groups have a mark of their own, and the others the last one together.
constexpr unsigned kMarks = 64;
// Between two counts of whom a full log waits for, and two lines of what is not kept.
constexpr std::chrono::seconds kFullToldEvery{10};

std::chrono::milliseconds age_of(const Standing& standing, std::int64_t now_ms) {
  return std::chrono::milliseconds(now_ms - std::clamp<std::int64_t>(standing.seen_ms, 0, now_ms));
}

}  // namespace

Bytes Standing::encode() const {
  Buffer buffer;
  Writer out(buffer);
  out.write(position);
  out.write(seen_ms);
  out.count(open.size());
  for (const auto& [sequence, attempts] : open) {
    out.write(sequence);
    out.write(static_cast<std::uint32_t>(attempts));
  }
  out.write(std::string_view(pattern));
  BytesView view = buffer.view();
  return {view.begin(), view.end()};
}

Result<Standing> Standing::decode(BytesView bytes) {
  Reader in(bytes);
  Standing standing;
  standing.position = in.read<std::uint64_t>();
  standing.seen_ms = in.read<std::int64_t>();
  std::size_t count = in.count();
  for (std::size_t i = 0; i < count; ++i) {
    auto sequence = in.read<std::uint64_t>();
    standing.open[sequence] = in.read<std::uint32_t>();
  }
  if (in.left() > 0) standing.pattern = in.read<std::string>();
  bool well = in.end() && (standing.pattern.empty() || check_pattern(standing.pattern));
  if (!well) return failure(Errc::kCorrupt, "no standing of a group");
  return standing;
}

std::string Log::message_key(std::uint64_t sequence) {
  return fmt::format("{}{:016x}", kMessages, sequence);
}

std::string Log::group_key(std::string_view group) {
  return fmt::format("group/{}", group);
}

std::string Log::dead_key(std::string_view group, std::uint64_t sequence) {
  return fmt::format("dead/{}/{:016x}", group, sequence);
}

std::optional<std::uint64_t> Log::sequence_of(std::string_view key) {
  if (!key.starts_with(kMessages)) return std::nullopt;
  key.remove_prefix(kMessages.size());
  std::uint64_t sequence = 0;
  auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), sequence, 16);
  if (error != std::errc() || stop != key.data() + key.size()) return std::nullopt;
  return sequence;
}

std::uint64_t Log::dead_sequence_of(std::string_view key) {
  std::uint64_t sequence = 0;
  std::string_view digits = key.substr(key.rfind('/') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), sequence, 16);
  return sequence;
}

std::string_view Log::dead_group_of(std::string_view key) {
  constexpr std::size_t kPrefix = std::string_view("dead/").size();
  std::size_t end = key.rfind('/');
  return end == std::string_view::npos || end < kPrefix ? "" : key.substr(kPrefix, end - kPrefix);
}

void Log::tell(const Waiter& waiter) {
  waiter.loop->post([news = waiter.news] { news(); });
}

Log::State Log::begin(Loop& loop, News news) {
  std::lock_guard hold(mutex_);
  if (state_ == State::kReady) return state_;
  waiting_.push_back({&loop, std::move(news)});
  return std::exchange(state_, State::kStarting);
}

Log::Group& Log::group_of(const std::string& name) {
  auto [found, is_new] = groups_.try_emplace(name);
  if (is_new) {
    std::uint64_t used = 0;
    for (const auto& [other, group] : groups_) used |= group.mark;
    unsigned free = static_cast<unsigned>(std::countr_one(used));
    found->second.mark = std::uint64_t{1} << std::min(free, kMarks - 1);
  }
  return found->second;
}

void Log::started(std::uint64_t epoch, const std::vector<std::uint64_t>& sequences,
                  std::map<std::string, Standing> groups, std::int64_t now_ms) {
  std::lock_guard hold(mutex_);
  kept_.clear();
  for (std::uint64_t each : sequences) kept_.emplace_hint(kept_.end(), each, kAnybody);
  // What is beyond is damaged. No message is given the number of one that is there, whatever became
  // of the epoch.
  kept_.erase(kept_.lower_bound(kEpochMax << kEpochShift), kept_.end());
  std::uint64_t last = kept_.empty() ? 0 : kept_.rbegin()->first >> kEpochShift;
  first_ = next_ = std::max(epoch < kEpochMax ? epoch : 0, last + 1) << kEpochShift;
  for (auto& [name, standing] : groups) {
    if (standing.position > next_) {
      // Nothing would come to it any more. Twice is better.
      log::warn("messaging", "where a group stands is damaged: what is kept is brought to it again",
                {{"group", name}});
      standing.position = 0;
    }
    Group& group = group_of(name);
    // Of one whose trigger runs it is known what it wants now.
    if (group.users > 0) {
      standing.pattern = std::move(group.standing.pattern);
      standing.seen_ms = now_ms;
    }
    group.standing = std::move(standing);
    group.written = true;
  }
  // One that is new begins with what comes from now on.
  for (auto& [name, group] : groups_) {
    if (!groups.contains(name)) group.standing.position = next_;
  }
  state_ = State::kReady;
  for (const Waiter& waiter : std::exchange(waiting_, {})) tell(waiter);
}

void Log::not_started() {
  std::lock_guard hold(mutex_);
  state_ = State::kNew;
  for (const Waiter& waiter : std::exchange(waiting_, {})) tell(waiter);
}

Result<std::optional<Log::Place>> Log::reserve(std::string_view topic) {
  std::lock_guard hold(mutex_);
  CHECK(state_ == State::kReady);
  Place place;
  for (const auto& [name, group] : groups_) {
    if (!group.standing.wants(topic)) continue;
    place.wanted |= group.mark;
    if (!group.written) place.fresh.emplace_back(name, group.standing);
  }
  if (place.wanted == 0) return std::nullopt;
  if (kept_.size() + under_way_.size() >= bounds_.messages_max) return std::unexpected(full());
  under_way_.insert(next_);
  place.sequence = next_++;
  return place;
}

std::uint64_t Log::backlog(const Group& group, std::size_t most) const {
  std::uint64_t waits = group.standing.open.size();
  std::size_t looked = 0;
  auto each = kept_.lower_bound(group.standing.position);
  for (; each != kept_.end() && looked < most; ++each, ++looked) {
    if ((each->second & group.mark) != 0) ++waits;
  }
  return waits;
}

// The lock is let go between them: publishers wait for one of them at most.
std::map<std::string, std::uint64_t> Log::backlogs() const {
  std::map<std::string, std::uint64_t> all;
  for (const KnownGroup& each : groups(Counted::kNo, 0)) {
    std::lock_guard hold(mutex_);
    auto group = groups_.find(each.name);
    if (group != groups_.end()) all[each.name] = backlog(group->second, kBacklogCounted);
  }
  return all;
}

// No more is kept. It is counted now and then whom most of it waits for.
Error Log::full() {
  if (full_told_.passed()) {
    full_told_ = Deadline::after(kFullToldEvery);
    std::string who;
    std::uint64_t most = 0;
    bool runs = false;
    for (const auto& [name, group] : groups_) {
      std::uint64_t waits = backlog(group);
      // Of two it is rather the one that nobody reads for.
      if (who.empty() || waits > most || (waits == most && group.users == 0)) {
        who = name;
        most = waits;
        runs = group.users > 0;
      }
    }
    full_why_ = fmt::format(
        "{} messages are kept already, and wait for who is to handle them: {} of them for the "
        "group \"{}\", whose trigger {}; weft messages groups shows them all",
        bounds_.messages_max, most, who,
        runs ? "runs and is behind" : "does not run here, weft messages forget lets it go");
    log::warn("messaging", "publishing is refused: the log is full",
              {{"messages", std::to_string(bounds_.messages_max)},
               {"group", who},
               {"backlog", std::to_string(most)},
               {"trigger", runs ? "runs" : "does not run"}});
  }
  return Error(Errc::kFull, full_why_);
}

// Who published is told each time, and the operator, whose disk may be full, now and then.
void Log::tell_lost(const Error& why) {
  ++lost_;
  if (!lost_told_.passed()) return;
  lost_told_ = Deadline::after(kFullToldEvery);
  log::warn("messaging", "publishing fails: what is published cannot be kept",
            {{"messages", std::to_string(std::exchange(lost_, 0))}, {"why", why.message()}});
}

void Log::published(const Place& place, const Result<void>& kept) {
  std::lock_guard hold(mutex_);
  under_way_.erase(place.sequence);
  if (!kept) tell_lost(kept.error());
  if (kept) kept_.emplace_hint(kept_.end(), place.sequence, place.wanted);
  for (const auto& [name, standing] : place.fresh) {
    if (auto group = groups_.find(name); kept && group != groups_.end()) {
      group->second.written = true;
    }
  }
  for (const auto& [name, group] : groups_) {
    if (group.news) tell(*group.news);
  }
}

bool Log::reply(const Message& message) {
  if (!message.topic.starts_with(kReplies)) return false;
  std::lock_guard hold(mutex_);
  auto inbox = inboxes_.find(message.topic);
  if (inbox == inboxes_.end()) return true;
  inbox->second.loop->post([arrived = inbox->second.arrived, message] { (*arrived)(message); });
  return true;
}

std::string Log::open_inbox(Loop& loop, std::function<void(Message)> arrived) {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  std::lock_guard hold(mutex_);
  if (inboxes_.size() >= kInboxesMax) return "";
  std::string address = fmt::format("{}{:016x}.{}", kReplies, random(), ++inboxes_made_);
  inboxes_[address] = {&loop, std::make_shared<std::function<void(Message)>>(std::move(arrived))};
  return address;
}

void Log::close_inbox(const std::string& address) {
  std::lock_guard hold(mutex_);
  inboxes_.erase(address);
}

void Log::expect(const std::string& group, std::string_view pattern) {
  std::lock_guard hold(mutex_);
  bool is_new = !groups_.contains(group);
  Group& expected = group_of(group);
  // Before the log was read nobody knows whether it is new, and `started` does this.
  if (is_new) expected.standing.position = next_;
  expected.standing.pattern = pattern;
  expected.told = false;
  ++expected.users;
}

void Log::leave(const std::string& group, std::int64_t now_ms) {
  std::lock_guard hold(mutex_);
  Group& left = groups_.at(group);
  CHECK(left.users > 0);
  --left.users;
  left.standing.seen_ms = now_ms;
}

void Log::claim(const std::string& group, const void* who, Loop& loop, News granted) {
  std::lock_guard hold(mutex_);
  Group& claimed = groups_.at(group);
  claimed.claims.push_back({who, {&loop, std::move(granted)}});
  if (claimed.claims.size() == 1) tell(claimed.claims.front().waiter);
}

void Log::release(const std::string& group, const void* who) {
  std::lock_guard hold(mutex_);
  Group& released = groups_.at(group);
  bool had = !released.claims.empty() && released.claims.front().who == who;
  std::erase_if(released.claims, [&](const Claim& claim) { return claim.who == who; });
  if (!had) return;
  released.news.reset();
  if (!released.claims.empty()) tell(released.claims.front().waiter);
}

Standing Log::standing(const std::string& group) const {
  std::lock_guard hold(mutex_);
  auto found = groups_.find(group);
  return found == groups_.end() ? Standing() : found->second.standing;
}

std::string Log::pattern(const std::string& group) const {
  std::lock_guard hold(mutex_);
  return groups_.at(group).standing.pattern;
}

std::vector<std::uint64_t> Log::after(std::uint64_t from, std::size_t most) const {
  std::lock_guard hold(mutex_);
  std::vector<std::uint64_t> found;
  std::uint64_t end = under_way_.empty() ? next_ : *under_way_.begin();
  for (auto each = kept_.lower_bound(from); each != kept_.end() && each->first < end; ++each) {
    if (found.size() == most) break;
    found.push_back(each->first);
  }
  return found;
}

void Log::on_news(const std::string& group, Loop& loop, News news, Replayed replayed) {
  std::lock_guard hold(mutex_);
  Group& told = groups_.at(group);
  told.news = Waiter{&loop, std::move(news)};
  told.replayed = std::move(replayed);
}

Result<void> Log::replay(const std::string& group, std::uint64_t sequence, Message message) {
  std::lock_guard hold(mutex_);
  auto found = groups_.find(group);
  if (found == groups_.end() || !found->second.news)
    return failure(Errc::kUnavailable, no_trigger(group));
  if (!replays_.begin(group, sequence)) return failure(Errc::kConflict, being_replayed(sequence));
  found->second.news->loop->post(
      [replayed = found->second.replayed, sequence, message = std::move(message)]() mutable {
        replayed(sequence, std::move(message));
      });
  return {};
}

void Log::learned(const std::vector<std::pair<std::uint64_t, std::string>>& topics) {
  std::lock_guard hold(mutex_);
  for (const auto& [sequence, topic] : topics) {
    auto message = kept_.find(sequence);
    if (message == kept_.end() || message->second != kAnybody) continue;
    message->second = 0;
    for (const auto& [name, group] : groups_) {
      if (group.standing.wants(topic)) message->second |= group.mark;
    }
  }
}

bool Log::needed(const Kept::value_type& message) const {
  return std::ranges::any_of(groups_, [&](const auto& each) {
    const Group& group = each.second;
    return (message.second & group.mark) != 0 && group.standing.needs(message.first);
  });
}

// Only what the group has done with since it was written last can be what nobody needs now.
std::vector<std::uint64_t> Log::stands(const std::string& group, Standing standing) {
  std::lock_guard hold(mutex_);
  Group& written = groups_.at(group);
  standing.pattern = written.standing.pattern;
  Standing before = std::exchange(written.standing, std::move(standing));
  written.written = true;
  std::vector<std::uint64_t> gone;
  auto look = [&](Kept::iterator each) {
    if (needed(*each)) return std::next(each);
    gone.push_back(each->first);
    return kept_.erase(each);
  };
  for (const auto& [sequence, attempts] : before.open) {
    if (auto each = kept_.find(sequence); each != kept_.end()) look(each);
  }
  auto end = kept_.lower_bound(written.standing.position);
  for (auto each = kept_.lower_bound(before.position); each != end;) each = look(each);
  return gone;
}

std::map<std::string, std::uint64_t> Log::orphans() {
  std::lock_guard hold(mutex_);
  std::map<std::string, std::uint64_t> orphans;
  for (auto& [name, group] : groups_) {
    if (group.users > 0 || group.told) continue;
    std::uint64_t waits = backlog(group, kBacklogCounted);
    if (waits == 0) continue;
    group.told = true;
    orphans[name] = waits;
  }
  return orphans;
}

std::vector<std::string> Log::due(std::int64_t now_ms) const {
  std::lock_guard hold(mutex_);
  std::vector<std::string> due;
  for (const auto& [name, group] : groups_) {
    bool old = age_of(group.standing, now_ms) > bounds_.group_kept;
    if (group.users == 0 && old) due.push_back(name);
  }
  return due;
}

Result<std::uint64_t> Log::forget(const std::string& group, const std::function<void()>& erase) {
  std::lock_guard hold(mutex_);
  auto found = groups_.find(group);
  if (found == groups_.end()) return failure(Errc::kNotFound, no_group(group));
  if (found->second.users > 0) return failure(Errc::kConflict, group_runs(group));
  std::uint64_t waited = backlog(found->second);
  groups_.erase(found);
  erase();
  full_told_ = Deadline::after(std::chrono::milliseconds(0));
  return waited;
}

std::vector<std::uint64_t> Log::sweep() {
  std::lock_guard hold(mutex_);
  std::vector<std::uint64_t> gone;
  std::erase_if(kept_, [&](const auto& message) {
    if (needed(message)) return false;
    gone.push_back(message.first);
    return true;
  });
  return gone;
}

std::vector<KnownGroup> Log::groups(Counted counted, std::int64_t now_ms) const {
  std::lock_guard hold(mutex_);
  std::vector<KnownGroup> known;
  for (const auto& [name, group] : groups_) {
    bool runs = group.users > 0;
    known.push_back({.name = name,
                     .pattern = group.standing.pattern,
                     .runs = runs,
                     .backlog = counted == Counted::kYes ? backlog(group) : 0,
                     .position = group.standing.position,
                     .seen_ms = runs ? now_ms : group.standing.seen_ms});
  }
  return known;
}

}  // namespace weft::messaging
