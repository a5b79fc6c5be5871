#include "capabilities/messaging/log.h"

#include <fmt/format.h>

#include <algorithm>
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
  if (Result<void> end = in.end(); !end) return failure(Errc::kCorrupt, "no standing of a group");
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

void Log::tell(const Waiter& waiter) {
  waiter.loop->post([news = waiter.news] { news(); });
}

Log::State Log::begin(Loop& loop, News news) {
  std::lock_guard hold(mutex_);
  if (state_ == State::kReady) return state_;
  waiting_.push_back({&loop, std::move(news)});
  return std::exchange(state_, State::kStarting);
}

std::vector<std::string> Log::started(std::uint64_t epoch, std::vector<std::uint64_t> sequences,
                                      std::map<std::string, Standing> groups, std::int64_t now_ms) {
  std::vector<std::string> forgotten;
  std::lock_guard hold(mutex_);
  kept_ = {sequences.begin(), sequences.end()};
  // What is beyond is damaged. No message is given the number of one that is there, whatever became
  // of the epoch.
  kept_.erase(kept_.lower_bound(kEpochMax << kEpochShift), kept_.end());
  std::uint64_t last = kept_.empty() ? 0 : *kept_.rbegin() >> kEpochShift;
  next_ = std::max(epoch < kEpochMax ? epoch : 0, last + 1) << kEpochShift;
  for (auto& [name, standing] : groups) {
    auto age =
        std::chrono::milliseconds(now_ms - std::clamp<std::int64_t>(standing.seen_ms, 0, now_ms));
    if (standing.position > next_) {
      // Nothing would come to it any more. Twice is better.
      log::warn("messaging", "where a group stands is damaged: what is kept is brought to it again",
                {{"group", name}});
      standing.position = 0;
    }
    if (age > kGroupKept && groups_[name].pattern.empty()) {
      groups_.erase(name);
      forgotten.push_back(name);
    } else {
      groups_[name].standing = std::move(standing);
      groups_[name].written = true;
    }
  }
  // One that is new begins with what comes from now on.
  for (auto& [name, group] : groups_) {
    if (!groups.contains(name)) group.standing.position = next_;
  }
  state_ = State::kReady;
  for (const Waiter& waiter : std::exchange(waiting_, {})) tell(waiter);
  return forgotten;
}

void Log::not_started() {
  std::lock_guard hold(mutex_);
  state_ = State::kNew;
  for (const Waiter& waiter : std::exchange(waiting_, {})) tell(waiter);
}

Result<std::optional<Log::Place>> Log::reserve(std::string_view topic) {
  std::lock_guard hold(mutex_);
  CHECK(state_ == State::kReady);
  bool wanted = false;
  Place place;
  for (const auto& [name, group] : groups_) {
    // Of a group whose trigger does not run now nobody knows what it wants.
    if (!group.pattern.empty() && !matches(group.pattern, topic)) continue;
    wanted = true;
    if (!group.written) place.fresh.emplace_back(name, group.standing);
  }
  if (!wanted) return std::nullopt;
  if (kept_.size() + under_way_.size() >= kMessagesMax) {
    return failure(Errc::kFull, fmt::format("{} messages are kept already, and wait for who is to "
                                            "handle them",
                                            kMessagesMax));
  }
  under_way_.insert(next_);
  place.sequence = next_++;
  return place;
}

void Log::settled(const Place& place, bool kept) {
  std::lock_guard hold(mutex_);
  under_way_.erase(place.sequence);
  if (kept) kept_.insert(kept_.end(), place.sequence);
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
  auto [found, is_new] = groups_.try_emplace(group);
  // Before the log was read nobody knows whether it is new, and `started` does this.
  if (is_new) found->second.standing.position = next_;
  found->second.pattern = pattern;
}

void Log::claim(const std::string& group, const void* who, Loop& loop, News granted) {
  std::lock_guard hold(mutex_);
  Group& claimed = groups_.at(group);
  claimed.claims.push_back({who, {&loop, std::move(granted)}});
  if (claimed.claims.size() == 1) tell(claimed.claims.front().waiter);
}

void Log::release(const std::string& group, const void* who) {
  std::lock_guard hold(mutex_);
  Group& released = groups_[group];
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

std::vector<std::uint64_t> Log::after(std::uint64_t from, std::size_t most) const {
  std::lock_guard hold(mutex_);
  std::vector<std::uint64_t> found;
  std::uint64_t end = under_way_.empty() ? next_ : *under_way_.begin();
  for (auto each = kept_.lower_bound(from); each != kept_.end() && *each < end; ++each) {
    if (found.size() == most) break;
    found.push_back(*each);
  }
  return found;
}

void Log::on_news(const std::string& group, Loop& loop, News news, Replayed replayed) {
  std::lock_guard hold(mutex_);
  groups_[group].news = Waiter{&loop, std::move(news)};
  groups_[group].replayed = std::move(replayed);
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

std::vector<std::uint64_t> Log::stands(const std::string& group, Standing standing) {
  std::lock_guard hold(mutex_);
  Group& written = groups_[group];
  written.standing = std::move(standing);
  written.written = true;
  return trim();
}

std::vector<std::uint64_t> Log::trim() {
  constexpr std::size_t kAtOnce = 1000;
  std::uint64_t end = next_;
  for (const auto& [name, group] : groups_) end = std::min(end, group.standing.position);
  std::vector<std::uint64_t> gone;
  for (auto each = kept_.begin(); each != kept_.end() && *each < end && gone.size() < kAtOnce;) {
    bool needed = std::ranges::any_of(
        groups_, [&](const auto& group) { return group.second.standing.needs(*each); });
    if (needed) {
      ++each;
    } else {
      gone.push_back(*each);
      each = kept_.erase(each);
    }
  }
  return gone;
}

}  // namespace weft::messaging
