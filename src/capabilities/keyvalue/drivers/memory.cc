#include "capabilities/keyvalue/drivers/memory.h"

#include <fmt/core.h>

namespace weft::keyvalue {

Result<void> MemoryDatabase::full() const {
  return failure(Errc::kFull,
                 fmt::format("the memory store is at its bound of {} bytes", bytes_max_));
}

Result<void> MemoryDatabase::put(Entries& entries, std::string_view key, BytesView value) {
  auto found = entries.find(key);
  std::size_t before = found == entries.end() ? 0 : key.size() + found->second.value.size();
  std::size_t after = key.size() + value.size();
  if (bytes_ - before + after > bytes_max_) return full();
  if (found == entries.end()) found = entries.emplace(std::string(key), Entry()).first;
  found->second.value.assign(value.begin(), value.end());
  found->second.version = ++last_version_;
  bytes_ = bytes_ - before + after;
  return {};
}

// Counts every pair as a new one: a batch that is let in is written whole.
Result<void> MemoryDatabase::check_room(const std::vector<Pair>& pairs) const {
  std::size_t bytes = bytes_;
  for (const auto& [key, value] : pairs) bytes += key.size() + value.size();
  return bytes > bytes_max_ ? full() : Result<void>();
}

void MemoryDatabase::erase(Entries& entries, std::string_view key) {
  auto found = entries.find(key);
  if (found == entries.end()) return;
  bytes_ -= key.size() + found->second.value.size();
  entries.erase(found);
}

class MemoryBucket final : public Bucket {
 public:
  MemoryBucket(std::shared_ptr<MemoryDatabase> database, MemoryDatabase::Entries& entries)
      : database_(std::move(database)), entries_(entries) {}

  // A bucket's entries, made when they are not there: they stay at their place.
  static MemoryDatabase::Entries& entries_of(MemoryDatabase& database, BucketName name) {
    std::lock_guard hold(database.mutex_);
    return database.buckets_[{std::string(name.owner), std::string(name.name)}];
  }

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return locked<std::optional<Bytes>>(check_key(key), [&] { return find(key).value; });
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    return set_many(request, {{key, value}});
  }

  Answer<void> erase(Request request, std::string_view key) override {
    return erase_many(request, {key});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    return locked<bool>(check_key(key), [&] { return entries_.contains(key); });
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    if (cursor && cursor->size() > kKeyBytesMax) {
      return Error(Errc::kInvalid, "the cursor is none that this store has given out");
    }
    return locked<Page>({}, [&] {
      Page page;
      auto at = cursor ? entries_.upper_bound(*cursor) : entries_.begin();
      for (; at != entries_.end() && page.keys.size() < kListPageKeys; ++at) {
        page.keys.push_back(at->first);
      }
      if (at != entries_.end()) page.cursor = page.keys.back();
      return page;
    });
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    return locked<std::int64_t>(checked_write(request, check_key(key)),
                                [&]() -> Result<std::int64_t> {
                                  std::int64_t value = 0;
                                  if (auto found = entries_.find(key); found != entries_.end()) {
                                    TRY(value, read_counter(found->second.value));
                                  }
                                  TRY(auto sum, add_counter(value, delta));
                                  TRY_VOID(database_->put(entries_, key, write_counter(sum)));
                                  return sum;
                                });
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    return locked<Snapshot>(check_key(key), [&] { return find(key); });
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    using Newest = std::optional<Snapshot>;
    if (auto checked = check_value(value); !checked) return std::move(checked).error();
    return locked<Newest>(checked_write(request, check_key(key)), [&]() -> Result<Newest> {
      auto found = entries_.find(key);
      bool same = found == entries_.end() ? !basis.value
                                          : basis.value && found->second.version == basis.version;
      if (!same) return find(key);
      TRY_VOID(database_->put(entries_, key, value));
      return Newest();
    });
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    using Values = std::vector<std::optional<Bytes>>;
    return locked<Values>(check_batch(keys), [&]() -> Result<Values> {
      Values values;
      values.reserve(keys.size());
      std::size_t bytes = 0;
      for (auto key : keys) {
        values.push_back(find(key).value);
        bytes += values.back() ? values.back()->size() : 0;
        if (bytes > kBatchBytesMax) {
          return failure(Errc::kInvalid, fmt::format("the values of the {} keys together have more "
                                                     "than {} bytes: ask for fewer at a time",
                                                     keys.size(), kBatchBytesMax));
        }
      }
      return values;
    });
  }

  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    return locked<void>(checked_write(request, check_batch(pairs)), [&]() -> Result<void> {
      if (pairs.size() > 1) TRY_VOID(database_->check_room(pairs));
      for (const auto& [key, value] : pairs) TRY_VOID(database_->put(entries_, key, value));
      return {};
    });
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    return locked<void>(checked_write(request, check_batch(keys)), [&]() -> Result<void> {
      for (auto key : keys) database_->erase(entries_, key);
      return {};
    });
  }

 private:
  // The check of a write's parameters and of its deadline.
  static Result<void> checked_write(Request request, Result<void> checked) {
    if (checked && request.deadline.passed()) {
      return failure(Errc::kTimeout, "the deadline passed before the write: nothing was written");
    }
    return checked;
  }

  // Runs `work` under the lock when the parameters passed their check.
  template <class T, class Work>
  Result<T> locked(Result<void> checked, Work work) {
    TRY_VOID(std::move(checked));
    std::lock_guard hold(database_->mutex_);
    return work();
  }

  Snapshot find(std::string_view key) const {
    auto found = entries_.find(key);
    if (found == entries_.end()) return {};
    return {found->second.value, found->second.version};
  }

  std::shared_ptr<MemoryDatabase> database_;  // Shared with the store and its other buckets.
  MemoryDatabase::Entries& entries_;          // Owned by the database, under its lock.
};

Answer<std::unique_ptr<Bucket>> MemoryStore::open(Request request, BucketName name) {
  if (auto checked = check_bucket(name); !checked) return std::move(checked).error();
  auto& entries = MemoryBucket::entries_of(*database_, name);
  return std::unique_ptr<Bucket>(std::make_unique<MemoryBucket>(database_, entries));
}

}  // namespace weft::keyvalue
