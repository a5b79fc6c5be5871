#include "capabilities/keyvalue/drivers/etcd/etcd.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "capabilities/keyvalue/drivers/many.h"
#include "capabilities/keyvalue/drivers/store_of.h"
#include "capabilities/shared_by.h"

namespace weft::keyvalue::etcd {
namespace {

using remote::etcd::Client;
using Written = Keys::Written;

// Keys of a batch read in one request, whose answer is within the client's bound whatever they
// hold, and such requests at once.
constexpr ReadMany::Options kBatchReads{.in_one = 16, .at_once = 8};

constexpr std::array<DriverKey, 6> kKeys{{{"url", DriverKey::Kind::kText, "http://HOST:2379"},
                                          {"username"},
                                          {"password"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"prefix"},
                                          {"timeout", DriverKey::Kind::kDuration}}};

// A part of a bucket's prefix, with nothing in it that ends the part.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = static_cast<unsigned char>(c) > ' ' && c != '%' && c != '/' && c != 0x7f;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<void> check_etcd_value(BytesView value) {
  TRY_VOID(check_value(value));
  if (value.size() <= kEtcdValueBytesMax) return {};
  return failure(Errc::kInvalid, fmt::format("a value of {} bytes: etcd takes {}", value.size(),
                                             kEtcdValueBytesMax));
}

// An answer, and the callback that gives it.
template <class T>
std::pair<Answer<T>, std::move_only_function<void(Result<T>)>> answered() {
  Promise<T> promise;
  Answer<T> answer = promise.answer();
  return {std::move(answer), [promise = std::move(promise)](Result<T> result) mutable {
            std::move(promise).fulfil(std::move(result));
          }};
}

class EtcdBucket final : public Bucket {
 public:
  explicit EtcdBucket(std::shared_ptr<Keys> keys) : keys_(std::move(keys)) {}

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return snapshot(request, key).then([](Snapshot found) { return std::move(found.value); });
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    return set_many(request, {{key, value}});
  }

  Answer<void> erase(Request request, std::string_view key) override {
    return erase_many(request, {key});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    auto [answer, done] = answered<bool>();
    keys_->exists(key, request.deadline, std::move(done));
    return std::move(answer);
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    if (cursor) TRY_VOID(check_key(*cursor));
    auto [answer, done] = answered<Page>();
    keys_->list(cursor, request.deadline, std::move(done));
    return std::move(answer);
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    TRY_VOID(check_key(key));
    return keys_->add(request, key, delta);
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    auto [answer, done] = answered<Snapshot>();
    keys_->read(key, request.deadline, std::move(done));
    return std::move(answer);
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_etcd_value(value));
    auto [answer, done] = answered<Written>();
    keys_->swap({std::string(key), Bytes(value.begin(), value.end())},
                basis.value ? basis.version : 0, request.deadline, std::move(done));
    return std::move(answer).then([](Written written) -> std::optional<Snapshot> {
      if (written.done) return std::nullopt;
      return std::move(written.now);
    });
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return std::vector<std::optional<Bytes>>();
    auto read =
        [weak = std::weak_ptr(keys_), names = std::vector<std::string>(keys.begin(), keys.end()),
         deadline = request.deadline](std::size_t first, std::size_t count, ReadMany::Done done) {
          auto shared = weak.lock();
          if (shared == nullptr) return done(std::unexpected(gone()));
          auto begin = names.begin() + static_cast<std::ptrdiff_t>(first);
          shared->read_some({begin, begin + static_cast<std::ptrdiff_t>(count)}, deadline,
                            std::move(done));
        };
    return std::make_shared<ReadMany>(keys.size(), kBatchReads, std::move(read))->begin();
  }

  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    TRY_VOID(check_batch(pairs));
    std::map<std::string_view, BytesView> last;
    for (const auto& [key, value] : pairs) {
      TRY_VOID(check_etcd_value(value));
      last[key] = value;
    }
    std::vector<Keys::Change> changes;
    for (const auto& [key, value] : last) {
      changes.push_back({std::string(key), Bytes(value.begin(), value.end())});
    }
    return change(request, std::move(changes));
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    std::vector<Keys::Change> changes;
    std::set<std::string_view> each(keys.begin(), keys.end());
    for (std::string_view key : each) changes.push_back({std::string(key), std::nullopt});
    return change(request, std::move(changes));
  }

 private:
  // In as few transactions as they fit in.
  Answer<void> change(Request request, std::vector<Keys::Change> changes) {
    if (request.deadline.passed()) return failure(Errc::kTimeout, "the deadline has passed");
    if (changes.empty()) return {};
    std::vector<std::vector<Keys::Change>> parts;
    std::size_t bytes = 0;
    for (Keys::Change& each : changes) {
      bytes += keys_->bytes_of(each);
      if (parts.empty() || parts.back().size() == kChangesMax || bytes > kChangesBytesMax) {
        parts.emplace_back();
        bytes = keys_->bytes_of(each);
      }
      parts.back().push_back(std::move(each));
    }
    // Shared by the parts.
    auto all = std::make_shared<AllDone>(parts.size());
    Answer<void> answer = all->answer();
    for (auto& part : parts) {
      keys_->write(std::move(part), request.deadline, [all](Result<Written> written) {
        if (!written) return all->done(std::unexpected(std::move(written).error()));
        all->done({});
      });
    }
    return answer;
  }

  std::shared_ptr<Keys> keys_;  // Shared by the loop's buckets of that name.
};

// What one loop has of the backend. Shared by its stores.
class EtcdLoop {
 public:
  EtcdLoop(Loop& loop, std::shared_ptr<const Settings> settings)
      : settings_(std::move(settings)),
        client_(std::make_shared<Client>(
            loop, std::shared_ptr<const remote::etcd::Settings>(settings_, &settings_->server))) {}

  std::shared_ptr<Keys> keys(BucketName name) {
    std::string prefix =
        fmt::format("{}/{}/{}/", settings_->prefix, escaped(name.owner), escaped(name.name));
    std::shared_ptr<Keys>& keys = keys_[prefix];
    if (keys == nullptr) keys = std::make_shared<Keys>(client_, prefix);
    return keys;
  }

 private:
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  const std::shared_ptr<Client> client_;            // Shared by the buckets.
  // As many as apps were granted names with this driver.
  std::map<std::string, std::shared_ptr<Keys>> keys_;
};

class EtcdBackend final : public Backend {
 public:
  explicit EtcdBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<StoreOf<EtcdBucket, EtcdLoop>>(on(loop));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    std::shared_ptr<EtcdLoop> asked = on(loop);
    // Whether this user may read there: no key of anybody's.
    asked->keys({})->exists("", deadline,
                            [asked, done = std::move(done)](Result<bool> answer) mutable {
                              if (!answer) return done(std::unexpected(std::move(answer).error()));
                              done({});
                            });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<EtcdLoop> on(Loop& loop) {
    return loops_.get(&loop, [&] { return std::make_shared<EtcdLoop>(loop, settings_); });
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  PerLoop<EtcdLoop> loops_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  remote::etcd::Access access;
  if (const Secret* url = choice.find("url")) access.url = *url;
  if (const Secret* user = choice.find("username")) access.username = user->reveal();
  if (const Secret* password = choice.find("password")) access.password = *password;
  if (const Secret* file = choice.find("ca-file")) access.ca_file = file->reveal();
  TRY(access.timeout, choice.duration("timeout", access.timeout));
  Settings settings;
  TRY(settings.server, remote::etcd::read_access(access));
  if (const Secret* prefix = choice.find("prefix")) settings.prefix = prefix->reveal();
  while (settings.prefix.ends_with('/')) settings.prefix.pop_back();
  if (settings.prefix.empty() || settings.prefix.size() > kPrefixBytesMax) {
    return failure(Errc::kInvalid, fmt::format("prefix: from 1 to {} bytes", kPrefixBytesMax));
  }
  return settings;
}

std::unique_ptr<Backend> etcd_backend(Settings settings) {
  std::string_view server = settings.server.servers.front();
  settings.server.health =
      std::make_shared<remote::Health>(std::string(server.substr(server.find("//") + 2)));
  return std::make_unique<EtcdBackend>(std::move(settings));
}

}  // namespace weft::keyvalue::etcd
