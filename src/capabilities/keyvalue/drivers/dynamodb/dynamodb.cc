#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "capabilities/keyvalue/drivers/dynamodb/item_format.h"
#include "capabilities/keyvalue/drivers/dynamodb/keys.h"
#include "capabilities/keyvalue/drivers/many.h"
#include "capabilities/keyvalue/drivers/store_of.h"
#include "capabilities/shared_by.h"
#include "io/http_client/http_client.h"
#include "io/loop.h"

namespace weft::keyvalue::dynamodb {
namespace {

// An answer of large values has 16 MB.
constexpr ReadMany::Options kBatchReads{.in_one = kReadInOneMax, .at_once = 4};

Result<void> check_dynamodb_value(BytesView value) {
  TRY_VOID(check_value(value));
  if (value.size() <= kDynamodbValueBytesMax) return {};
  return failure(Errc::kInvalid, fmt::format("a value of {} bytes: DynamoDB takes {}", value.size(),
                                             kDynamodbValueBytesMax));
}

Result<std::string> checked_key(std::string_view key) {
  TRY_VOID(check_key(key));
  return stored_key(key);
}

class DynamodbBucket final : public Bucket {
 public:
  explicit DynamodbBucket(std::shared_ptr<Keys> keys) : keys_(std::move(keys)) {}

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return snapshot(request, key).then([](Snapshot found) { return std::move(found.value); });
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    TRY(std::string stored, checked_key(key));
    TRY_VOID(check_dynamodb_value(value));
    return one(request, {std::move(stored), Bytes(value.begin(), value.end())});
  }

  Answer<void> erase(Request request, std::string_view key) override {
    TRY(std::string stored, checked_key(key));
    return one(request, {std::move(stored), std::nullopt});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    TRY(std::string stored, checked_key(key));
    return promised(request.loop, item_exists(keys_->items(), std::move(stored), request.deadline));
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    std::optional<std::string> after;
    if (cursor) {
      TRY_VOID(check_key(*cursor));
      after = stored_cursor(*cursor);
    }
    return promised(request.loop, list_items(keys_->items(), std::move(after), request.deadline));
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    TRY(std::string stored, checked_key(key));
    return keys_->add(request, stored, delta);
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    TRY(std::string stored, checked_key(key));
    return promised(request.loop, read_item(keys_->items(), std::move(stored), request.deadline));
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    TRY(std::string stored, checked_key(key));
    TRY_VOID(check_dynamodb_value(value));
    return keys_
        ->swap(std::move(stored), Bytes(value.begin(), value.end()),
               {.there = basis.value.has_value(), .version = basis.version}, request.deadline)
        .then([](Written written) -> std::optional<Snapshot> {
          if (written.done) return std::nullopt;
          return std::move(written.now);
        });
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return std::vector<std::optional<Bytes>>();
    std::vector<std::string> stored;
    for (std::string_view key : keys) {
      TRY(std::string each, stored_key(key));
      stored.push_back(std::move(each));
    }
    auto read = [weak = std::weak_ptr(keys_), stored = std::move(stored), request](
                    std::size_t first, std::size_t count, ReadMany::Done done) {
      auto shared = weak.lock();
      if (shared == nullptr) return done(std::unexpected(gone()));
      auto begin = stored.begin() + static_cast<std::ptrdiff_t>(first);
      std::vector<std::string> part(begin, begin + static_cast<std::ptrdiff_t>(count));
      promised(request.loop, read_items(shared->items(), std::move(part), request.deadline))
          .settle([done = std::move(done)](Result<ReadMany::Values> values) mutable {
            done(std::move(values));
            return Nothing();
          });
    };
    return std::make_shared<ReadMany>(keys.size(), kBatchReads, std::move(read))->begin();
  }

  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    TRY_VOID(check_batch(pairs));
    std::map<std::string, BytesView> last;
    for (const auto& [key, value] : pairs) {
      TRY_VOID(check_dynamodb_value(value));
      TRY(std::string stored, stored_key(key));
      last[std::move(stored)] = value;
    }
    std::vector<Change> changes;
    for (const auto& [key, value] : last) {
      changes.push_back({key, Bytes(value.begin(), value.end())});
    }
    return change(request, std::move(changes));
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    std::set<std::string> each;
    for (std::string_view key : keys) {
      TRY(std::string stored, stored_key(key));
      each.insert(std::move(stored));
    }
    std::vector<Change> changes;
    for (const std::string& key : each) changes.push_back({key, std::nullopt});
    return change(request, std::move(changes));
  }

 private:
  Answer<void> one(Request request, Change change) {
    std::vector<Change> changes;
    changes.push_back(std::move(change));
    return keys_->write(std::move(changes), request.deadline);
  }

  // In as few requests as they fit in, all begun at once.
  Answer<void> change(Request request, std::vector<Change> changes) {
    if (request.deadline.passed()) return failure(Errc::kTimeout, "the deadline has passed");
    if (changes.empty()) return {};
    std::vector<std::vector<Change>> parts;
    std::size_t bytes = 0;
    for (Change& each : changes) {
      std::size_t more = each.value ? each.value->size() : 0;
      bool fits = !parts.empty() && parts.back().size() < kWrittenInOneMax &&
                  bytes + more <= kWrittenBytesMax;
      if (!fits) {
        parts.emplace_back();
        bytes = 0;
      }
      bytes += more;
      parts.back().push_back(std::move(each));
    }
    // Shared by the parts.
    auto all = std::make_shared<AllDone>(parts.size());
    Answer<void> answer = all->answer();
    for (auto& part : parts) {
      keys_->write(std::move(part), request.deadline).settle([all](Result<void> done) {
        all->done(std::move(done));
        return Nothing();
      });
    }
    return answer;
  }

  std::shared_ptr<Keys> keys_;  // Shared by the loop's buckets of that name.
};

// What one loop has of the backend. Shared by its stores.
class DynamodbLoop {
 public:
  DynamodbLoop(Loop& loop, std::shared_ptr<const Settings> settings)
      : client_(std::make_shared<Client>(loop, std::move(settings))) {}

  const std::shared_ptr<Client>& client() const { return client_; }
  std::shared_ptr<Keys> keys(BucketName name) {
    std::string place = partition(client_->settings().prefix, name);
    std::shared_ptr<Keys>& keys = keys_[place];
    if (keys == nullptr) keys = std::make_shared<Keys>(Items{client_, place});
    return keys;
  }

 private:
  const std::shared_ptr<Client> client_;  // Shared by the buckets and what is under way.
  // As many as apps were granted names with this driver.
  std::map<std::string, std::shared_ptr<Keys>> keys_;
};

class DynamodbBackend final : public Backend {
 public:
  explicit DynamodbBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override {
    std::string_view host = settings_->host;
    bool here =
        host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    if (settings_->scheme == "http" && !here) {
      log::warn("keyvalue", "values cross the network unencrypted: write https://",
                {{"url", fmt::format("http://{}", host)}});
    }
    return HttpClient::check({.ca_file = settings_->ca_file});
  }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<StoreOf<DynamodbBucket, DynamodbLoop>>(on(loop));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto ask = [](std::shared_ptr<Client> client, Deadline until) -> Task<void> {
      co_return co_await client->reach(until);
    };
    loop.spawn(ask(on(loop)->client(), deadline), std::move(done));
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->health; }

 private:
  std::shared_ptr<DynamodbLoop> on(Loop& loop) {
    return loops_.get(&loop, [&] { return std::make_shared<DynamodbLoop>(loop, settings_); });
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the clients, which may outlive it.
  PerLoop<DynamodbLoop> loops_;
};

}  // namespace

std::unique_ptr<Backend> dynamodb_backend(Settings settings) {
  settings.health = std::make_shared<remote::Health>(settings.host);
  return std::make_unique<DynamodbBackend>(std::move(settings));
}

}  // namespace weft::keyvalue::dynamodb
