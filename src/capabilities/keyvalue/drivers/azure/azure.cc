#include "capabilities/keyvalue/drivers/azure/azure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "capabilities/keyvalue/drivers/azure/keys.h"
#include "capabilities/keyvalue/drivers/azure/names.h"
#include "capabilities/keyvalue/drivers/many.h"
#include "capabilities/keyvalue/drivers/store_of.h"
#include "capabilities/shared_by.h"
#include "io/http_client/http_client.h"

namespace weft::keyvalue::azure {
namespace {

using remote::azure::Blobs;

constexpr std::chrono::seconds kTimeoutByDefault{5};

constexpr std::array<DriverKey, 8> kKeys{{{"account", DriverKey::Kind::kText, "myaccount"},
                                          {"container", DriverKey::Kind::kText, "mycontainer"},
                                          {"key"},
                                          {"sas"},
                                          {"url"},
                                          {"prefix"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"timeout", DriverKey::Kind::kDuration}}};

// What is there now, for a swap that lost.
Task<std::optional<Snapshot>> swap_key(std::shared_ptr<Keys> keys, Turns::Turn turn,
                                       std::string key, std::uint64_t basis, Bytes value,
                                       Deadline deadline) {
  CO_TRY(std::uint64_t version,
         co_await keys->swap(std::move(turn), key, basis, std::move(value), deadline));
  if (version != 0) co_return std::nullopt;
  CO_TRY(Snapshot now, co_await keys->read(std::move(key), nullptr, deadline));
  co_return std::optional<Snapshot>(std::move(now));
}

// A task that keeps the bucket's keys as long as it runs.
template <class T, class Work>
Answer<T> kept(const std::shared_ptr<Keys>& keys, Work work) {
  auto run = [](std::shared_ptr<Keys> held, Work begin) -> Task<T> {
    co_return co_await begin(*held);
  };
  return promised<T>(keys->loop(), run(keys, std::move(work)));
}

Task<void> read_one(std::shared_ptr<Keys> keys, std::string key,
                    std::shared_ptr<Keys::Budget> budget, Deadline deadline, ReadMany::Done done) {
  auto found = co_await keys->read(std::move(key), std::move(budget), deadline);
  Loop::Turn turn(keys->loop());
  if (!found) {
    done(std::unexpected(std::move(found).error()));
  } else {
    ReadMany::Values values;
    values.push_back(std::move(found->value));
    done(std::move(values));
  }
  co_return Result<void>();
}

class AzureBucket final : public Bucket {
 public:
  explicit AzureBucket(std::shared_ptr<Keys> keys) : keys_(std::move(keys)) {}

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return snapshot(request, key).then([](Snapshot found) { return std::move(found.value); });
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    return change(request, {std::string(key), Bytes(value.begin(), value.end())});
  }

  Answer<void> erase(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return change(request, {std::string(key), std::nullopt});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return kept<bool>(keys_, [key = std::string(key), request](Keys& keys) {
      return keys.exists(key, request.deadline);
    });
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    if (cursor) TRY_VOID(check_key(*cursor));
    return kept<Page>(keys_, [cursor = std::optional<std::string>(cursor), request](Keys& keys) {
      return keys.list(cursor, request.deadline);
    });
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    TRY_VOID(check_key(key));
    return keys_->add(request, key, delta);
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return kept<Snapshot>(keys_, [key = std::string(key), request](Keys& keys) {
      return keys.read(key, nullptr, request.deadline);
    });
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    TRY(Turns::Turn turn, keys_->turn(key, value.size()));
    return promised<std::optional<Snapshot>>(
        keys_->loop(),
        swap_key(keys_, std::move(turn), std::string(key), basis.value ? basis.version : 0,
                 Bytes(value.begin(), value.end()), request.deadline));
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return std::vector<std::optional<Bytes>>();
    auto read = [shared = keys_, names = std::vector<std::string>(keys.begin(), keys.end()),
                 budget = std::make_shared<Keys::Budget>(),
                 deadline = request.deadline](std::size_t first, std::size_t, ReadMany::Done done) {
      shared->loop().spawn(read_one(shared, names[first], budget, deadline, std::move(done)));
    };
    ReadMany::Options options{.in_one = 1, .at_once = kBatchAtOnce};
    return std::make_shared<ReadMany>(keys.size(), options, std::move(read))->begin();
  }

  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    TRY_VOID(check_batch(pairs));
    std::map<std::string_view, BytesView> last;
    for (const auto& [key, value] : pairs) {
      TRY_VOID(check_value(value));
      last[key] = value;
    }
    std::vector<Keys::Change> changes;
    for (const auto& [key, value] : last) {
      changes.push_back({std::string(key), Bytes(value.begin(), value.end())});
    }
    return change_many(request, std::move(changes));
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    std::vector<Keys::Change> changes;
    std::set<std::string_view> each(keys.begin(), keys.end());
    for (std::string_view key : each) changes.push_back({std::string(key), std::nullopt});
    return change_many(request, std::move(changes));
  }

 private:
  Result<Keys::Write> with_turn(Keys::Change change) {
    std::size_t bytes = change.key.size() + (change.value ? change.value->size() : 0);
    TRY(Turns::Turn turn, keys_->turn(change.key, bytes));
    return Keys::Write{std::move(turn), std::move(change)};
  }

  // Its place among the loop's writes is taken before anything is waited for.
  Answer<void> change(Request request, Keys::Change change) {
    TRY(Keys::Write write, with_turn(std::move(change)));
    return promised<void>(keys_->loop(), write_one(keys_, std::move(write), request.deadline));
  }
  static Task<void> write_one(std::shared_ptr<Keys> keys, Keys::Write write, Deadline deadline) {
    co_return co_await keys->write(std::move(write.turn), std::move(write.change), deadline);
  }

  Answer<void> change_many(Request request, std::vector<Keys::Change> changes) {
    if (changes.empty()) return {};
    std::vector<Keys::Write> writes;
    writes.reserve(changes.size());
    for (Keys::Change& each : changes) {
      TRY(Keys::Write write, with_turn(std::move(each)));
      writes.push_back(std::move(write));
    }
    return promised<void>(keys_->loop(), write_all(keys_, std::move(writes), request.deadline));
  }
  static Task<void> write_all(std::shared_ptr<Keys> keys, std::vector<Keys::Write> writes,
                              Deadline deadline) {
    co_return co_await keys->write_many(std::move(writes), deadline);
  }

  std::shared_ptr<Keys> keys_;  // Shared by the loop's buckets of that name.
};

// What one loop has of the backend. Shared by its stores.
class AzureLoop {
 public:
  AzureLoop(Loop& loop, std::shared_ptr<const Settings> settings)
      : settings_(std::move(settings)),
        blobs_(std::make_shared<Blobs>(
            loop, std::shared_ptr<const remote::azure::Settings>(settings_, &settings_->server))) {}

  std::shared_ptr<Blobs> blobs() const { return blobs_; }
  std::shared_ptr<Keys> keys(BucketName name) {
    std::string prefix = bucket_prefix(settings_->prefix, name.owner, name.name);
    std::shared_ptr<Keys>& keys = keys_[prefix];
    if (keys == nullptr) keys = std::make_shared<Keys>(blobs_, prefix, settings_->page_keys);
    return keys;
  }

 private:
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  const std::shared_ptr<Blobs> blobs_;              // Shared by the buckets.
  // As many as apps were granted names with this driver.
  std::map<std::string, std::shared_ptr<Keys>> keys_;
};

class AzureBackend final : public Backend {
 public:
  explicit AzureBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override {
    if (remote::azure::unencrypted(settings_->server)) {
      log::warn("keyvalue", "values cross the network unencrypted: write https://",
                {{"url", fmt::format("http://{}", settings_->server.host)}});
    }
    return HttpClient::check({.ca_file = settings_->server.ca_file});
  }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<StoreOf<AzureBucket, AzureLoop>>(on(loop));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto ask = [](std::shared_ptr<Blobs> asked, Deadline until) -> Task<void> {
      co_return co_await asked->reach(until);
    };
    loop.spawn(ask(on(loop)->blobs(), deadline), std::move(done));
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<AzureLoop> on(Loop& loop) {
    return loops_.get(&loop, [&] { return std::make_shared<AzureLoop>(loop, settings_); });
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  PerLoop<AzureLoop> loops_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  remote::azure::Access access{.timeout = kTimeoutByDefault};
  if (const Secret* account = choice.find("account")) access.account = account->reveal();
  if (const Secret* container = choice.find("container")) access.container = container->reveal();
  if (const Secret* key = choice.find("key")) access.key = *key;
  if (const Secret* sas = choice.find("sas")) access.sas = *sas;
  if (const Secret* url = choice.find("url")) access.url = *url;
  if (const Secret* file = choice.find("ca-file")) access.ca_file = file->reveal();
  TRY(access.timeout, choice.duration("timeout", access.timeout));
  Settings settings;
  TRY(settings.server, remote::azure::read_access(access));
  if (const Secret* prefix = choice.find("prefix")) settings.prefix = prefix->reveal();
  bool plain = std::ranges::all_of(settings.prefix, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (!plain || settings.prefix.empty() || settings.prefix.size() > kPrefixBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("prefix: from 1 to {} letters, digits, - and _", kPrefixBytesMax));
  }
  return settings;
}

std::unique_ptr<Backend> azure_backend(Settings settings) {
  settings.server.health = std::make_shared<remote::Health>(settings.server.host);
  return std::make_unique<AzureBackend>(std::move(settings));
}

}  // namespace weft::keyvalue::azure
