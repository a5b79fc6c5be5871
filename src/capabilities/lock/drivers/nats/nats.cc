#include "capabilities/lock/drivers/nats/nats.h"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "capabilities/answer_tasks.h"
#include "capabilities/keyvalue/drivers/nats/nats.h"
#include "capabilities/lock/drivers/nats/record.h"

namespace weft::lock::nats {
namespace {

// No app is called so.
constexpr std::string_view kOwner = "weft:lock";
// How often an entry is read anew that somebody else changed before it was written.
constexpr int kTries = 8;

using keyvalue::Bucket;
using keyvalue::Snapshot;

std::int64_t calendar_ms() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Milliseconds>(since).count();
}

Result<std::optional<Record>> record_in(const Snapshot& snapshot) {
  if (!snapshot.value) return std::nullopt;
  TRY(Record record, Record::parse(as_text(*snapshot.value)));
  return record;
}

// One lock, and who asks for it.
struct Asked {
  std::shared_ptr<keyvalue::Store> store;
  Request request;
  LockName lock;
  std::string holder;

  keyvalue::Request entry() const { return {request.loop, request.deadline}; }
};

// What is to be written in the place of the record that is there, or nothing.
using Change = std::function<std::optional<Record>(const std::optional<Record>& now)>;

// Writes what `change` makes of the record that is there; what it was made of last, where nothing
// is to be written, and what was written.
struct Changed {
  std::optional<Record> before = {};
  std::optional<Record> written = {};
};
Task<Changed> changed(Asked asked, Change change) {
  CO_TRY(std::unique_ptr<Bucket> bucket,
         co_await settled(asked.store->open(asked.entry(), {kOwner, asked.lock.scope})));
  CO_TRY(Snapshot snapshot, co_await settled(bucket->snapshot(asked.entry(), asked.lock.name)));
  for (int i = 0; i < kTries; ++i) {
    Changed result;
    CO_TRY(result.before, record_in(snapshot));
    result.written = change(result.before);
    if (!result.written) co_return result;
    std::string text = result.written->text();
    CO_TRY(
        std::optional<Snapshot> now,
        co_await settled(bucket->swap(asked.entry(), asked.lock.name, snapshot, as_bytes(text))));
    if (!now) co_return result;
    snapshot = *std::move(now);
  }
  co_return failure(Errc::kUnavailable, "others changed the lock's entry all the time");
}

Task<Attempt> taken(Asked asked, Milliseconds ttl) {
  CO_TRY(
      Changed done, co_await changed(asked, [holder = asked.holder, ttl](const auto& now) {
        std::int64_t ms = calendar_ms();
        if (now && !now->free(ms)) return std::optional<Record>();
        return std::optional(Record::next(now, calendar_microseconds(), holder, ms + ttl.count()));
      }));
  if (done.written) co_return Attempt{.token = done.written->token};
  // It was asked twice, and done the first time.
  if (done.before->holder == asked.holder) co_return Attempt{.token = done.before->token};
  co_return Attempt{.again = ask_again()};
}

Task<bool> renewed(Asked asked, Milliseconds ttl) {
  CO_TRY(Changed done, co_await changed(asked, [holder = asked.holder, ttl](const auto& now) {
           std::int64_t ms = calendar_ms();
           if (!now || now->holder != holder || ms >= now->until_ms) return std::optional<Record>();
           return std::optional(Record{now->token, ms + ttl.count(), holder});
         }));
  co_return done.written.has_value();
}

Task<bool> released(Asked asked) {
  CO_TRY(Changed done, co_await changed(asked, [holder = asked.holder](const auto& now) {
           if (!now || now->holder != holder) return std::optional<Record>();
           return std::optional(Record{now->token, 0, ""});
         }));
  bool in_time = done.written && calendar_ms() < done.before->until_ms;
  co_return in_time;
}

class EntriesStore final : public Store {
 public:
  explicit EntriesStore(std::unique_ptr<keyvalue::Store> entries) : entries_(std::move(entries)) {}

  Answer<Attempt> take(Request request, const LockName& lock, const std::string& holder,
                       Milliseconds ttl) override {
    return promised(request.loop, taken({entries_, request, lock, holder}, ttl));
  }
  Answer<bool> renew(Request request, const LockName& lock, const std::string& holder,
                     Milliseconds ttl) override {
    return promised(request.loop, renewed({entries_, request, lock, holder}, ttl));
  }
  Answer<bool> release(Request request, const LockName& lock, const std::string& holder) override {
    return promised(request.loop, released({entries_, request, lock, holder}));
  }

 private:
  std::shared_ptr<keyvalue::Store> entries_;  // Shared with what is under way.
};

class EntriesBackend final : public Backend {
 public:
  explicit EntriesBackend(std::unique_ptr<keyvalue::Backend> entries)
      : entries_(std::move(entries)) {}

  Result<void> open() override { return entries_->open(); }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<EntriesStore>(entries_->store(loop));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    entries_->reach(loop, deadline, std::move(done));
  }
  std::shared_ptr<const remote::Health> health() const override { return entries_->health(); }

 private:
  std::unique_ptr<keyvalue::Backend> entries_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return keyvalue::nats::driver_keys();
}

Result<Settings> read_settings(const DriverChoice& choice) {
  return keyvalue::nats::read_settings(choice);
}

std::unique_ptr<Backend> nats_backend(Settings settings) {
  return entries_backend(keyvalue::nats::nats_backend(std::move(settings)));
}

std::unique_ptr<Backend> entries_backend(std::unique_ptr<keyvalue::Backend> entries) {
  return std::make_unique<EntriesBackend>(std::move(entries));
}

}  // namespace weft::lock::nats
