#include "capabilities/keyvalue/drivers/lmdb.h"

#include <fmt/core.h>

#include <utility>

namespace weft::keyvalue {
namespace {

using lmdb::Record;
using lmdb::Transaction;
using lmdb::WriteSize;

// What a key costs beside its value: for the bounds of the queue.
constexpr std::size_t kEntryBytes = 64;

// A write that `Change`, called as Result<T>(Transaction&), makes.
template <class T, class Change>
class ChangeWrite final : public lmdb::Write {
 public:
  ChangeWrite(Request request, WriteSize size, Change change, Promise<T> promise)
      : Write(request, size), change_(std::move(change)), promise_(std::move(promise)) {}

  void apply(Transaction& transaction) override { outcome_.emplace(change_(transaction)); }
  void finish(const Error* failed) override {
    if (failed != nullptr) outcome_.emplace(std::unexpected(*failed));
    std::move(promise_).fulfil(std::move(*outcome_));
  }

 private:
  Change change_;
  Promise<T> promise_;
  std::optional<Result<T>> outcome_;
};

Snapshot snapshot_of(const std::optional<Record>& record) {
  if (!record) return {};
  return {Bytes(record->value.begin(), record->value.end()), record->version};
}

// An entry of a bucket that may not be there yet, which no key can be in then.
Result<std::optional<Record>> find(Transaction& transaction, std::optional<std::uint32_t> bucket,
                                   std::string_view key) {
  if (!bucket) return std::nullopt;
  return transaction.find(*bucket, key);
}

class LmdbBucket final : public Bucket {
 public:
  LmdbBucket(std::shared_ptr<LmdbView> view, BucketName name)
      : view_(std::move(view)), entry_(lmdb::bucket_entry(name)) {}

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return read<std::optional<Bytes>>(
        key, [](const std::optional<Record>& record) { return snapshot_of(record).value; });
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    if (auto checked = check_key(key); !checked) return std::move(checked).error();
    if (auto checked = check_value(value); !checked) return std::move(checked).error();
    return write<void>(request, {1, key.size() + value.size() + kEntryBytes},
                       [entry = entry_, key = std::string(key),
                        value = Bytes(value.begin(), value.end())](Transaction& transaction) {
                         transaction.put(transaction.make_bucket(entry), key, value);
                         return Result<void>();
                       });
  }

  Answer<void> erase(Request request, std::string_view key) override {
    return erase_many(request, {key});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    return read<bool>(key, [](const std::optional<Record>& record) { return record.has_value(); });
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    if (cursor && cursor->size() > kKeyBytesMax) {
      return Error(Errc::kInvalid, "the cursor is none that this store has given out");
    }
    return view_->reader.run([&](MDB_txn* transaction) -> Result<Page> {
      TRY(auto bucket, number(transaction));
      if (!bucket) return Page();
      return lmdb::list_keys(environment(), transaction, *bucket, cursor);
    });
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    if (auto checked = check_key(key); !checked) return std::move(checked).error();
    return write<std::int64_t>(
        request, {1, key.size() + kEntryBytes},
        [entry = entry_, key = std::string(key),
         delta](Transaction& transaction) -> Result<std::int64_t> {
          TRY(auto record, find(transaction, transaction.bucket(entry), key));
          std::int64_t value = 0;
          if (record) {
            TRY(value, read_counter(record->value));
          }
          TRY(auto sum, add_counter(value, delta));
          transaction.put(transaction.make_bucket(entry), key, write_counter(sum));
          return sum;
        });
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    return read<Snapshot>(key, snapshot_of);
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    if (auto checked = check_key(key); !checked) return std::move(checked).error();
    if (auto checked = check_value(value); !checked) return std::move(checked).error();
    return write<std::optional<Snapshot>>(
        request, {1, key.size() + value.size() + kEntryBytes},
        [entry = entry_, key = std::string(key), value = Bytes(value.begin(), value.end()),
         present = basis.value.has_value(),
         version = basis.version](Transaction& transaction) -> Result<std::optional<Snapshot>> {
          TRY(auto record, find(transaction, transaction.bucket(entry), key));
          bool same = record ? present && record->version == version : !present;
          if (!same) return snapshot_of(record);
          transaction.put(transaction.make_bucket(entry), key, value);
          return std::nullopt;
        });
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    using Values = std::vector<std::optional<Bytes>>;
    if (auto checked = check_batch(keys); !checked) return std::move(checked).error();
    return view_->reader.run([&](MDB_txn* transaction) -> Result<Values> {
      TRY(auto bucket, number(transaction));
      Values values(keys.size());
      if (!bucket) return values;
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        TRY(auto record, lmdb::find_entry(environment(), transaction, *bucket, keys[i]));
        if (!record) continue;
        bytes += record->value.size();
        if (bytes > kBatchBytesMax) {
          return failure(Errc::kInvalid, fmt::format("the values of the {} keys together have more "
                                                     "than {} bytes: ask for fewer at a time",
                                                     keys.size(), kBatchBytesMax));
        }
        values[i].emplace(record->value.begin(), record->value.end());
      }
      return values;
    });
  }

  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    if (auto checked = check_batch(pairs); !checked) return std::move(checked).error();
    if (pairs.empty()) return Result<void>();
    WriteSize size{pairs.size(), 0};
    std::vector<std::pair<std::string, Bytes>> owned;
    owned.reserve(pairs.size());
    for (const auto& [key, value] : pairs) {
      size.bytes += key.size() + value.size() + kEntryBytes;
      owned.emplace_back(key, Bytes(value.begin(), value.end()));
    }
    return write<void>(request, size,
                       [entry = entry_, pairs = std::move(owned)](Transaction& transaction) {
                         auto bucket = transaction.make_bucket(entry);
                         for (const auto& [key, value] : pairs) {
                           transaction.put(bucket, key, value);
                           if (transaction.code() != 0) break;
                         }
                         return Result<void>();
                       });
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    if (auto checked = check_batch(keys); !checked) return std::move(checked).error();
    if (keys.empty()) return Result<void>();
    WriteSize size{keys.size(), 0};
    std::vector<std::string> owned;
    owned.reserve(keys.size());
    for (auto key : keys) {
      size.bytes += key.size() + kEntryBytes;
      owned.emplace_back(key);
    }
    return write<void>(request, size,
                       [entry = entry_, keys = std::move(owned)](Transaction& transaction) {
                         auto bucket = transaction.bucket(entry);
                         for (const auto& key : keys) {
                           if (!bucket || transaction.code() != 0) break;
                           transaction.erase(*bucket, key);
                         }
                         return Result<void>();
                       });
  }

 private:
  lmdb::Environment& environment() { return view_->database->environment(); }

  // The bucket's number, which never changes once it has one.
  Result<std::optional<std::uint32_t>> number(MDB_txn* transaction) {
    if (!number_) {
      TRY(number_, lmdb::find_bucket(environment(), transaction, entry_));
    }
    return number_;
  }

  // Answers what `of` makes of the entry at `key`, inline.
  template <class T, class Of>
  Answer<T> read(std::string_view key, Of of) {
    if (auto checked = check_key(key); !checked) return std::move(checked).error();
    return view_->reader.run([&](MDB_txn* transaction) -> Result<T> {
      TRY(auto bucket, number(transaction));
      if (!bucket) return of(std::nullopt);
      TRY(auto record, lmdb::find_entry(environment(), transaction, *bucket, key));
      return of(record);
    });
  }

  // Hands `change` to the commit thread.
  template <class T, class Change>
  Answer<T> write(Request request, WriteSize size, Change change) {
    Promise<T> promise;
    Answer<T> answer = promise.answer();
    std::unique_ptr<lmdb::Write> write = std::make_unique<ChangeWrite<T, Change>>(
        request, size, std::move(change), std::move(promise));
    if (auto accepted = view_->database->committer().submit(write); !accepted) {
      return std::move(accepted).error();
    }
    return answer;
  }

  std::shared_ptr<LmdbView> view_;  // Shared with the store and its other buckets, on one loop.
  std::string entry_;
  std::optional<std::uint32_t> number_;
};

}  // namespace

Result<std::shared_ptr<LmdbDatabase>> LmdbDatabase::open(const std::filesystem::path& folder,
                                                         lmdb::EnvironmentOptions options) {
  TRY(auto environment, lmdb::Environment::open(folder, options));
  return std::shared_ptr<LmdbDatabase>(new LmdbDatabase(std::move(environment)));
}

std::shared_ptr<LmdbView> LmdbDatabase::view(Loop& loop) {
  return views_.get(&loop, [&] { return std::make_shared<LmdbView>(shared_from_this()); });
}

Answer<std::unique_ptr<Bucket>> LmdbStore::open(Request request, BucketName name) {
  if (auto checked = check_bucket(name); !checked) return std::move(checked).error();
  return std::unique_ptr<Bucket>(std::make_unique<LmdbBucket>(view_, name));
}

}  // namespace weft::keyvalue
