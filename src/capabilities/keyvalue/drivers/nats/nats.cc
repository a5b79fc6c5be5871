#include "capabilities/keyvalue/drivers/nats/nats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "capabilities/keyvalue/drivers/many.h"
#include "capabilities/keyvalue/drivers/nats/listing.h"
#include "capabilities/keyvalue/drivers/nats/names.h"
#include "capabilities/keyvalue/drivers/store_of.h"
#include "capabilities/shared_by.h"
#include "remote/called_back.h"
#include "remote/nats/access.h"

namespace weft::keyvalue::nats {
namespace {

using remote::nats::Client;

// Reads of one batch that are under way at once.
constexpr std::size_t kReadsAtOnce = 256;
constexpr unsigned kReplicasMax = 5;

constexpr std::array<DriverKey, 10> kKeys{{{"url", DriverKey::Kind::kText, "nats://HOST:4222"},
                                           {"username"},
                                           {"password"},
                                           {"token"},
                                           {"nkey"},
                                           {"credentials-file", DriverKey::Kind::kPath},
                                           {"ca-file", DriverKey::Kind::kPath},
                                           {"prefix"},
                                           {"replicas"},
                                           {"timeout", DriverKey::Kind::kDuration}}};

Task<Keys::Found> read(std::weak_ptr<Keys> weak, std::string key, Deadline deadline) {
  return remote::called_back<Keys::Found>(
      [weak = std::move(weak), key = std::move(key), deadline](auto done) {
        if (auto keys = weak.lock()) keys->read(key, deadline, std::move(done));
      });
}

Task<std::uint64_t> write(std::weak_ptr<Keys> weak, std::string key, Keys::Change change,
                          Deadline deadline) {
  return remote::called_back<std::uint64_t>([weak = std::move(weak), key = std::move(key),
                                             change = std::move(change),
                                             deadline](auto done) mutable {
    if (auto keys = weak.lock()) {
      keys->write(key, std::move(change), deadline, std::move(done));
    }
  });
}

// A key that was deleted has a marker, after which a swap of an absent key has to go.
Task<std::optional<Snapshot>> swap_key(std::weak_ptr<Keys> weak, std::string key, Snapshot basis,
                                       Bytes value, Deadline deadline) {
  std::uint64_t expected = basis.value ? basis.version : 0;
  for (;;) {
    CO_TRY(std::uint64_t written, co_await write(weak, key, {value, expected}, deadline));
    if (written != 0) co_return std::nullopt;
    CO_TRY(Keys::Found now, co_await read(weak, key, deadline));
    if (basis.value || now.value || now.version == expected) {
      if (!now.value) now.version = 0;
      co_return std::optional<Snapshot>(std::move(now));
    }
    expected = now.version;
    if (weak.expired()) co_return std::unexpected(gone());
  }
}

class NatsBucket final : public Bucket {
 public:
  explicit NatsBucket(std::shared_ptr<Keys> keys) : keys_(std::move(keys)) {}

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return ask(request, key).then([](Keys::Found found) { return std::move(found.value); });
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    return change(request, key, {Bytes(value.begin(), value.end()), {}});
  }

  Answer<void> erase(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return change(request, key, {});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    return ask(request, key).then([](Keys::Found found) { return found.value.has_value(); });
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    if (cursor) TRY_VOID(check_key(*cursor));
    return promised(request.loop,
                    list_keys(keys_, request.deadline,
                              cursor ? std::optional(std::string(*cursor)) : std::nullopt));
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    TRY_VOID(check_key(key));
    return keys_->add(request, escape_key(key), delta);
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    return ask(request, key).then([](Keys::Found found) {
      if (!found.value) found.version = 0;
      return found;
    });
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    if (request.deadline.passed()) return failure(Errc::kTimeout, "the deadline has passed");
    return promised(request.loop, swap_key(keys_, escape_key(key), basis,
                                           Bytes(value.begin(), value.end()), request.deadline));
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return std::vector<std::optional<Bytes>>();
    std::vector<std::string> names;
    names.reserve(keys.size());
    for (std::string_view key : keys) names.push_back(escape_key(key));
    auto read_one = [weak = std::weak_ptr(keys_), names = std::move(names),
                     deadline = request.deadline](std::size_t number, std::size_t,
                                                  ReadMany::Done done) {
      auto shared = weak.lock();
      if (shared == nullptr) return done(std::unexpected(gone()));
      shared->read(names[number], deadline,
                   [done = std::move(done)](Result<Keys::Found> found) mutable {
                     if (!found) return done(std::unexpected(std::move(found).error()));
                     ReadMany::Values one;
                     one.push_back(std::move(found->value));
                     done(std::move(one));
                   });
    };
    return std::make_shared<ReadMany>(keys.size(), ReadMany::Options{.at_once = kReadsAtOnce},
                                      std::move(read_one))
        ->begin();
  }

  // All of them are sent at once, so that a later write of the loop's comes later.
  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    TRY_VOID(check_batch(pairs));
    if (pairs.empty()) return {};
    auto all = std::make_shared<AllDone>(pairs.size());
    Answer<void> answer = all->answer();
    for (const auto& [key, value] : pairs) {
      change_one(request, key, {Bytes(value.begin(), value.end()), {}}, all);
    }
    return answer;
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return {};
    auto all = std::make_shared<AllDone>(keys.size());
    Answer<void> answer = all->answer();
    for (std::string_view key : keys) change_one(request, key, {}, all);
    return answer;
  }

 private:
  Answer<Keys::Found> ask(Request request, std::string_view key) {
    TRY_VOID(check_key(key));
    Promise<Keys::Found> promise;
    Answer<Keys::Found> answer = promise.answer();
    keys_->read(escape_key(key), request.deadline,
                [promise = std::move(promise)](Result<Keys::Found> found) mutable {
                  std::move(promise).fulfil(std::move(found));
                });
    return answer;
  }

  Answer<void> change(Request request, std::string_view key, Keys::Change change) {
    auto one = std::make_shared<AllDone>(1);
    Answer<void> answer = one->answer();
    change_one(request, key, std::move(change), one);
    return answer;
  }
  // `all` is shared by the parts of a batch.
  void change_one(Request request, std::string_view key, Keys::Change change,
                  std::shared_ptr<AllDone> all) {
    if (request.deadline.passed()) {
      return all->done(failure(Errc::kTimeout, "the deadline has passed"));
    }
    keys_->write(escape_key(key), std::move(change), request.deadline,
                 [all = std::move(all)](Result<std::uint64_t> written) {
                   if (!written) return all->done(std::unexpected(std::move(written).error()));
                   all->done({});
                 });
  }

  std::shared_ptr<Keys> keys_;  // Shared by the loop's buckets of that name.
};

// What one loop has of the backend. Shared by its stores.
class NatsLoop {
 public:
  NatsLoop(Loop& loop, std::shared_ptr<const Settings> settings, std::shared_ptr<Streams> streams)
      : settings_(std::move(settings)),
        streams_(std::move(streams)),
        client_(std::make_shared<Client>(
            loop, std::shared_ptr<const remote::nats::Settings>(settings_, &settings_->server))) {}

  std::shared_ptr<Keys> keys(BucketName name) {
    std::string bucket = bucket_name(settings_->prefix, name);
    std::shared_ptr<Keys>& keys = keys_[bucket];
    if (keys == nullptr) keys = std::make_shared<Keys>(client_, settings_, streams_, bucket);
    return keys;
  }
  Client& client() { return *client_; }

 private:
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  const std::shared_ptr<Streams> streams_;          // Likewise.
  const std::shared_ptr<Client> client_;            // Shared by the buckets.
  // As many as apps were granted names with this driver.
  std::map<std::string, std::shared_ptr<Keys>> keys_;
};

class NatsBackend final : public Backend {
 public:
  explicit NatsBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<StoreOf<NatsBucket, NatsLoop>>(on(loop));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    std::shared_ptr<NatsLoop> asked = on(loop);
    // Whether there is JetStream for this account.
    remote::nats::api(
        asked->client(), "INFO", {}, deadline, Client::Repeat::kNo,
        [asked, done = std::move(done)](Result<remote::nats::ApiAnswer> answer) mutable {
          if (!answer) return done(std::unexpected(std::move(answer).error()));
          if (answer->problem == remote::nats::Problem::kNone) return done({});
          done(std::unexpected(std::move(answer->error)));
        });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<NatsLoop> on(Loop& loop) {
    return loops_.get(&loop, [&] { return std::make_shared<NatsLoop>(loop, settings_, streams_); });
  }

  // Shared with the loops, which may outlive it.
  std::shared_ptr<const Settings> settings_;
  std::shared_ptr<Streams> streams_ = std::make_shared<Streams>();
  PerLoop<NatsLoop> loops_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  auto text = [&](std::string_view key) {
    const Secret* found = choice.find(key);
    return found == nullptr ? std::string() : std::string(found->reveal());
  };
  auto secret = [&](std::string_view key) {
    const Secret* found = choice.find(key);
    return found == nullptr ? Secret() : *found;
  };
  remote::nats::Access access{.url = secret("url"),
                              .username = text("username"),
                              .password = secret("password"),
                              .token = secret("token"),
                              .nkey = secret("nkey"),
                              .credentials_file = text("credentials-file"),
                              .ca_file = text("ca-file")};
  TRY(access.timeout, choice.duration("timeout", access.timeout));
  Settings settings;
  TRY(settings.server, remote::nats::read_access(access));
  if (choice.find("prefix") != nullptr) settings.prefix = text("prefix");
  bool plain = std::ranges::all_of(settings.prefix, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!plain || settings.prefix.empty() || settings.prefix.size() > kPrefixBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("prefix: up to {} letters, digits and -", kPrefixBytesMax));
  }
  if (std::string replicas = text("replicas"); !replicas.empty()) {
    if (replicas.size() != 1 || replicas[0] < '1' || replicas[0] > '0' + char(kReplicasMax)) {
      return failure(Errc::kInvalid, fmt::format("replicas: a number from 1 to {}", kReplicasMax));
    }
    settings.replicas = static_cast<unsigned>(replicas[0] - '0');
  }
  return settings;
}

std::unique_ptr<Backend> nats_backend(Settings settings) {
  settings.server.health =
      std::make_shared<remote::Health>(settings.server.endpoints.front().text());
  return std::make_unique<NatsBackend>(std::move(settings));
}

}  // namespace weft::keyvalue::nats
