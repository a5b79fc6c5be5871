#include "capabilities/messaging/log_groups.h"

#include <fmt/format.h>

#include <map>
#include <span>
#include <type_traits>
#include <utility>

#include "base/log.h"
#include "capabilities/answer_tasks.h"
#include "capabilities/messaging/log_format.h"
#include "capabilities/messaging/log_queue.h"
#include "capabilities/messaging/replays.h"

namespace weft::messaging {
namespace {

// Of forgetting one group.
constexpr std::chrono::minutes kForgetTime{1};

// What the bucket answers; kCancelled where it has gone. No task holds it while it waits.
template <class Ask>
std::invoke_result_t<Ask, keyvalue::Bucket&> ask(const LogSite& site, Ask ask) {
  auto bucket = site.bucket.lock();
  if (bucket == nullptr) return failure(Errc::kCancelled, "the broker has gone");
  return ask(*bucket);
}

Task<void> erase_keys(LogSite site, Deadline deadline, std::vector<std::string> keys) {
  for (std::size_t from = 0; from < keys.size(); from += kErasedAtOnce) {
    std::span part = std::span(keys).subspan(from, std::min(kErasedAtOnce, keys.size() - from));
    std::vector<std::string_view> views(part.begin(), part.end());
    auto erased = ask(site, [&](keyvalue::Bucket& bucket) {
      return bucket.erase_many(keyvalue::Request{site.loop, deadline}, views);
    });
    CO_TRY_VOID(co_await settled(std::move(erased)));
  }
  co_return Result<void>();
}

Task<std::uint64_t> erase_letters(LogSite site, Deadline deadline, std::string group) {
  std::uint64_t many = 0;
  std::string before = Log::dead_key(group, 0);
  before.resize(before.size() - kDeadNumberDigits);
  std::optional<std::string> cursor = before;
  while (cursor) {
    CO_TRY(LetterPage page, co_await list_letters(site, deadline, *std::move(cursor)));
    cursor = std::move(page.cursor);
    std::vector<std::string> keys;
    for (LetterKey& each : page.letters) {
      // Those of groups whose names begin so are between them.
      if (!each.key.starts_with(before)) cursor.reset();
      if (each.group == group) keys.push_back(std::move(each.key));
    }
    many += keys.size();
    CO_TRY_VOID(co_await erase_keys(site, deadline, std::move(keys)));
  }
  co_return many;
}

}  // namespace

Task<void> erase_unneeded(LogSite site, Deadline deadline) {
  std::vector<std::string> keys;
  for (std::uint64_t each : site.log->sweep()) keys.push_back(Log::message_key(each));
  co_return co_await erase_keys(std::move(site), deadline, std::move(keys));
}

Task<LetterPage> list_letters(LogSite site, Deadline deadline, std::string cursor) {
  keyvalue::Request request{site.loop, deadline};
  auto listed = ask(site, [&](keyvalue::Bucket& bucket) { return bucket.list(request, cursor); });
  CO_TRY(keyvalue::Page page, co_await settled(std::move(listed)));
  LetterPage letters{.letters = {}, .cursor = std::move(page.cursor)};
  for (std::string& key : page.keys) {
    if (!key.starts_with(kLettersBegin)) {
      letters.cursor.reset();
      break;
    }
    std::string group(Log::dead_group_of(key));
    letters.letters.push_back({std::move(key), std::move(group)});
  }
  co_return letters;
}

Task<std::vector<KnownGroup>> known_groups(LogSite site, Deadline deadline, Counted counted) {
  std::map<std::string, KnownGroup> known;
  for (KnownGroup& each : site.log->groups(counted, now_ms())) {
    known.emplace(each.name, std::move(each));
  }
  std::optional<std::string> cursor;
  if (counted == Counted::kYes) cursor = kLettersBegin;
  while (cursor) {
    CO_TRY(LetterPage page, co_await list_letters(site, deadline, *std::move(cursor)));
    cursor = std::move(page.cursor);
    for (LetterKey& each : page.letters) {
      // One that is there for its letters alone, which were left by an earlier version.
      auto& group = known.try_emplace(each.group, KnownGroup{.name = each.group}).first->second;
      ++group.dead;
    }
  }
  std::vector<KnownGroup> groups;
  for (auto& [name, group] : known) groups.push_back(std::move(group));
  co_return groups;
}

Task<Forgotten> forget_group(LogSite site, Deadline deadline, std::string group) {
  std::optional<Answer<void>> erased;
  auto waited = site.log->forget(group, [&] {
    keyvalue::Request request{site.loop, deadline};
    erased = ask(site, [&](keyvalue::Bucket& bucket) {
      return bucket.erase(request, Log::group_key(group));
    });
  });
  // Its letters may be all that there is of it.
  if (!waited && waited.error().code() != Errc::kNotFound) {
    co_return std::unexpected(std::move(waited).error());
  }
  if (erased) CO_TRY_VOID(co_await settled(*std::move(erased)));
  CO_TRY(std::uint64_t letters, co_await erase_letters(site, deadline, group));
  if (!waited && letters == 0) co_return std::unexpected(std::move(waited).error());
  CO_TRY_VOID(co_await erase_unneeded(std::move(site), deadline));
  co_return Forgotten{.messages = waited.value_or(0), .letters = letters};
}

Task<void> forget_old_groups(LogSite site) {
  for (const std::string& group : site.log->due(now_ms())) {
    Deadline deadline = Deadline::after(kForgetTime);
    Result<Forgotten> gone = co_await forget_group(site, deadline, group);
    // Another loop was before, or its trigger has come.
    if (!gone && (gone.error().code() == Errc::kNotFound || gone.error().code() == Errc::kConflict))
      continue;
    if (!gone) {
      log::warn("messaging", "a group is not forgotten",
                {{"group", group}, {"why", gone.error().message()}});
      continue;
    }
    log::warn("messaging", "a group is forgotten: its trigger has not run for a week",
              {{"group", group},
               {"messages", std::to_string(gone->messages)},
               {"dead-letters", std::to_string(gone->letters)}});
  }
  co_return Result<void>();
}

}  // namespace weft::messaging
