#include "capabilities/lock/drivers/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "capabilities/answer_tasks.h"
#include "io/loop.h"

namespace weft::lock {

LockTable::Taken LockTable::take(const std::string& lock, const std::string& holder,
                                 Milliseconds ttl, Time now) {
  auto held = held_.find(lock);
  if (held != held_.end() && now < held->second.until) {
    if (held->second.holder == holder) return {.token = held->second.token};
    return {.until = held->second.until};
  }
  if (next_ == end_) return {.needs_tokens = true};
  std::uint64_t token = next_++;
  held_.insert_or_assign(lock, Entry{holder, token, now + ttl});
  return {.token = token};
}

bool LockTable::renew(const std::string& lock, const std::string& holder, Milliseconds ttl,
                      Time now) {
  auto held = held_.find(lock);
  if (held == held_.end() || held->second.holder != holder || now >= held->second.until) {
    return false;
  }
  held->second.until = now + ttl;
  return true;
}

bool LockTable::release(const std::string& lock, const std::string& holder, Time now) {
  auto held = held_.find(lock);
  if (held == held_.end() || held->second.holder != holder) return false;
  bool in_time = now < held->second.until;
  held_.erase(held);
  return in_time;
}

void LockTable::add_tokens(std::uint64_t last) {
  std::uint64_t first = last - kTokensAtOnce + 1;
  // Of two that were asked for at once the larger ones may come first.
  if (first < end_) return;
  next_ = first;
  end_ = last + 1;
}

namespace {

// No app is called so.
constexpr std::string_view kOwner = "weft:lock";
constexpr std::string_view kCounter = "tokens";
// Blocks of tokens that others used up before one of them was had.
constexpr int kBlocksMax = 16;

// What the loops have in common. Shared by their stores and what those have under way.
struct Shared {
  std::mutex mutex;
  LockTable table;                // Guarded.
  std::uint64_t tokens_from = 0;  // Above the counter.
};

struct Wish {
  std::string lock;
  std::string holder;
  Milliseconds ttl;
};

std::string key_of(const LockName& lock) {
  return lock.scope + '\0' + lock.name;
}

LockTable::Taken take_now(Shared& shared, const Wish& wish) {
  std::lock_guard guard(shared.mutex);
  return shared.table.take(wish.lock, wish.holder, wish.ttl, Clock::now());
}

Attempt attempt_of(const LockTable::Taken& taken) {
  if (taken.token != 0) return {.token = taken.token};
  // Later rather than a moment too early.
  auto left = std::chrono::ceil<Milliseconds>(taken.until - Clock::now());
  return {.again = std::max(left, Milliseconds(1))};
}

// With tokens that are written down first.
Task<Attempt> take_with_tokens(std::shared_ptr<Shared> shared,
                               std::shared_ptr<keyvalue::Store> tokens, Request request,
                               Wish wish) {
  keyvalue::Request asked{request.loop, request.deadline};
  CO_TRY(std::unique_ptr<keyvalue::Bucket> bucket,
         co_await settled(tokens->open(asked, {kOwner, ""})));
  for (int i = 0; i < kBlocksMax; ++i) {
    CO_TRY(std::int64_t last,
           co_await settled(bucket->increment(asked, kCounter, std::int64_t{kTokensAtOnce})));
    if (last < std::int64_t{kTokensAtOnce}) {
      co_return failure(Errc::kCorrupt, fmt::format("the counter of tokens was {}", last));
    }
    {
      std::lock_guard guard(shared->mutex);
      shared->table.add_tokens(shared->tokens_from + static_cast<std::uint64_t>(last));
    }
    LockTable::Taken taken = take_now(*shared, wish);
    if (!taken.needs_tokens) co_return attempt_of(taken);
  }
  co_return failure(Errc::kLimit, "others used the tokens up");
}

class TableStore final : public Store {
 public:
  TableStore(std::shared_ptr<Shared> shared, std::unique_ptr<keyvalue::Store> tokens)
      : shared_(std::move(shared)), tokens_(std::move(tokens)) {}

  Answer<Attempt> take(Request request, const LockName& lock, const std::string& holder,
                       Milliseconds ttl) override {
    Wish wish{key_of(lock), holder, ttl};
    LockTable::Taken taken = take_now(*shared_, wish);
    if (!taken.needs_tokens) return attempt_of(taken);
    return promised(request.loop, take_with_tokens(shared_, tokens_, request, std::move(wish)));
  }
  Answer<bool> renew(Request, const LockName& lock, const std::string& holder,
                     Milliseconds ttl) override {
    std::lock_guard guard(shared_->mutex);
    return shared_->table.renew(key_of(lock), holder, ttl, Clock::now());
  }
  Answer<bool> release(Request, const LockName& lock, const std::string& holder) override {
    std::lock_guard guard(shared_->mutex);
    return shared_->table.release(key_of(lock), holder, Clock::now());
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<keyvalue::Store> tokens_;  // Shared with what is under way.
};

class TableBackend : public Backend {
 public:
  explicit TableBackend(keyvalue::Backend& tokens) : tokens_(tokens) {}

  Result<void> open() override { return tokens_.open(); }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<TableStore>(shared_, tokens_.store(loop));
  }

 protected:
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();

 private:
  keyvalue::Backend& tokens_;
};

struct OwnTokens {
  std::unique_ptr<keyvalue::Backend> own = keyvalue::memory_backend();
};

class MemoryBackend final : private OwnTokens, public TableBackend {
 public:
  MemoryBackend() : TableBackend(*own) { shared_->tokens_from = calendar_microseconds(); }
};

}  // namespace

std::unique_ptr<Backend> embedded_backend(keyvalue::Backend& tokens) {
  return std::make_unique<TableBackend>(tokens);
}

std::unique_ptr<Backend> memory_backend() {
  return std::make_unique<MemoryBackend>();
}

}  // namespace weft::lock
