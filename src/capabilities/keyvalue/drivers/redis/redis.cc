#include "capabilities/keyvalue/drivers/redis/redis.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <random>
#include <utility>

#include "capabilities/shared_by.h"
#include "io/http/tls_client.h"

namespace weft::keyvalue::redis {
namespace {

using Repeat = Client::Repeat;

constexpr std::uint16_t kPort = 6379;

constexpr std::array<DriverKey, 5> kKeys{{{"url", DriverKey::Kind::kText, "redis://HOST:6379"},
                                          {"username"},
                                          {"password"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"timeout", DriverKey::Kind::kDuration}}};

// KEYS: values, keys, versions. ARGV: key, delta, version. HINCRBY takes only a number as it writes
// one itself; what is a number to other drivers is written anew for it, and put back if it fails.
constexpr std::string_view kIncrement = R"(
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  local sign, digits = string.match(old, '^(%-?)0*(%d+)$')
  if not sign then return redis.error_reply('NUMBER ' .. #old) end
  if digits == '0' then sign = '' end
  redis.call('HSET', KEYS[1], ARGV[1], sign .. digits)
end
local sum = redis.pcall('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
if type(sum) == 'table' then
  if old then redis.call('HSET', KEYS[1], ARGV[1], old) end
  return redis.error_reply('NUMBER ' .. #(old or ''))
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return redis.call('HGET', KEYS[1], ARGV[1])
)";

// KEYS as above. ARGV: key, the version that is expected or nothing, version, value.
constexpr std::string_view kSwap = R"(
local value = redis.call('HGET', KEYS[1], ARGV[1])
local version = value and (redis.call('HGET', KEYS[3], ARGV[1]) or '1') or ''
if version ~= ARGV[2] then return {value, version} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return {}
)";

// KEYS: values. ARGV: the most bytes of an answer, keys.
constexpr std::string_view kGetMany = R"(
local left = tonumber(ARGV[1])
local found = {}
for i = 2, #ARGV do
  left = left - redis.call('HSTRLEN', KEYS[1], ARGV[i])
  if left < 0 then return redis.error_reply('LIMIT') end
  found[i - 1] = redis.call('HGET', KEYS[1], ARGV[i])
end
return found
)";

// What stands in a bucket's keys instead of a name: nothing in it ends the part it is in.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = static_cast<unsigned char>(c) > ' ' && c != '%' && c != '/' && c != '{' &&
                 c != '}' && c != ':' && c != 0x7f;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Error wrong_reply() {
  return Error(Errc::kCorrupt, "Redis: an answer of another kind than was asked for");
}

std::uint64_t read_version(std::string_view text) {
  std::uint64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

Result<Snapshot> read_snapshot(Reply& value, const Reply& version) {
  if (value.kind == Reply::Kind::kNull) return Snapshot{};
  if (value.kind != Reply::Kind::kBytes) return std::unexpected(wrong_reply());
  // A value that somebody else wrote has no version, and 1 is none of ours.
  bool known = version.kind == Reply::Kind::kBytes;
  return Snapshot{std::move(value.bytes), known ? read_version(version.text()) : 1};
}

class RedisBucket final : public Bucket {
 public:
  RedisBucket(std::shared_ptr<Client> client, BucketName name)
      : client_(std::move(client)),
        random_(static_cast<std::uint64_t>(std::random_device{}()) << 32 | std::random_device{}()) {
    std::string prefix = fmt::format("weft:{{{}/{}}}:", escaped(name.owner), escaped(name.name));
    values_ = prefix + "values";
    keys_ = prefix + "keys";
    versions_ = prefix + "versions";
  }

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return ask<std::optional<Bytes>>(request, Commands({"HGET", values_, key}), Repeat::kYes,
                                     read_value);
  }

  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    Commands commands;
    commands.add({"MULTI"});
    commands.add({"HSET", values_, key, as_text(value)});
    commands.add({"HSET", versions_, key, new_version()});
    commands.add({"ZADD", keys_, "0", key});
    commands.add({"EXEC"});
    return change(request, std::move(commands));
  }

  Answer<void> erase(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return erase_many(request, {key});
  }

  Answer<bool> exists(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    return ask<bool>(request, Commands({"HEXISTS", values_, key}), Repeat::kYes,
                     [](Reply reply) -> Result<bool> { return reply.integer == 1; });
  }

  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    if (cursor) TRY_VOID(check_key(*cursor));
    std::string from = cursor ? fmt::format("({}", *cursor) : "-";
    auto limit = std::to_string(kListPageKeys + 1);
    return ask<Page>(request, Commands({"ZRANGEBYLEX", keys_, from, "+", "LIMIT", "0", limit}),
                     Repeat::kYes, [](Reply reply) -> Result<Page> {
                       Page page;
                       for (const Reply& each : reply.items) page.keys.emplace_back(each.text());
                       if (page.keys.size() <= kListPageKeys) return page;
                       page.keys.resize(kListPageKeys);
                       page.cursor = page.keys.back();
                       return page;
                     });
  }

  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    TRY_VOID(check_key(key));
    Commands commands;
    commands.add({"EVAL", kIncrement, "3", values_, keys_, versions_, key, std::to_string(delta),
                  new_version()});
    return ask<std::int64_t>(
        request, std::move(commands), Repeat::kNo,
        [](Reply reply) -> Result<std::int64_t> { return read_counter(reply.bytes); },
        [delta](Error error) {
          std::string_view text = error.message();
          if (text.find("NUMBER ") == std::string_view::npos) return error;
          return Error(Errc::kInvalid,
                       fmt::format("the value is no number of 64 bits, or {} more does not fit: "
                                   "it is unchanged",
                                   delta));
        });
  }

  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    TRY_VOID(check_key(key));
    Commands commands;
    commands.add({"MULTI"});
    commands.add({"HGET", values_, key});
    commands.add({"HGET", versions_, key});
    commands.add({"EXEC"});
    return ask<Snapshot>(request, std::move(commands), Repeat::kYes,
                         [](Reply reply) -> Result<Snapshot> {
                           if (reply.items.size() != 2) return std::unexpected(wrong_reply());
                           return read_snapshot(reply.items[0], reply.items[1]);
                         });
  }

  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    TRY_VOID(check_key(key));
    TRY_VOID(check_value(value));
    std::string expected = basis.value ? std::to_string(basis.version) : "";
    Commands commands;
    commands.add({"EVAL", kSwap, "3", values_, keys_, versions_, key, expected, new_version(),
                  as_text(value)});
    return ask<std::optional<Snapshot>>(request, std::move(commands), Repeat::kNo,
                                        [](Reply reply) -> Result<std::optional<Snapshot>> {
                                          if (reply.kind != Reply::Kind::kList)
                                            return std::unexpected(wrong_reply());
                                          if (reply.items.empty()) return std::nullopt;
                                          if (reply.items.size() != 2)
                                            return std::unexpected(wrong_reply());
                                          TRY(Snapshot now,
                                              read_snapshot(reply.items[0], reply.items[1]));
                                          return std::optional(std::move(now));
                                        });
  }

  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return std::vector<std::optional<Bytes>>();
    std::string most = std::to_string(kBatchBytesMax);
    std::vector<std::string_view> words{"EVAL", kGetMany, "1", values_, most};
    words.insert(words.end(), keys.begin(), keys.end());
    return ask<std::vector<std::optional<Bytes>>>(
        request, Commands(words), Repeat::kYes,
        [count = keys.size()](Reply reply) -> Result<std::vector<std::optional<Bytes>>> {
          if (reply.items.size() != count) return std::unexpected(wrong_reply());
          std::vector<std::optional<Bytes>> found;
          found.reserve(count);
          for (Reply& each : reply.items) {
            TRY(found.emplace_back(), read_value(std::move(each)));
          }
          return found;
        },
        [](Error error) {
          if (!error.message().ends_with("LIMIT")) return error;
          return Error(Errc::kInvalid, fmt::format("the answer takes more than {} bytes: ask for "
                                                   "fewer keys",
                                                   kBatchBytesMax));
        });
  }

  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    TRY_VOID(check_batch(pairs));
    if (pairs.empty()) return {};
    std::string version = new_version();
    std::vector<std::string_view> values{"HSET", values_};
    std::vector<std::string_view> versions{"HSET", versions_};
    std::vector<std::string_view> keys{"ZADD", keys_};
    for (const auto& [key, value] : pairs) {
      values.insert(values.end(), {key, as_text(value)});
      versions.insert(versions.end(), {key, version});
      keys.insert(keys.end(), {"0", key});
    }
    Commands commands;
    commands.add({"MULTI"}).add(values).add(versions).add(keys).add({"EXEC"});
    return change(request, std::move(commands));
  }

  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    TRY_VOID(check_batch(keys));
    if (keys.empty()) return {};
    Commands commands;
    commands.add({"MULTI"});
    for (auto [command, from] : {std::pair<std::string_view, std::string_view>{"HDEL", values_},
                                 {"HDEL", versions_},
                                 {"ZREM", keys_}}) {
      std::vector<std::string_view> words{command, from};
      words.insert(words.end(), keys.begin(), keys.end());
      commands.add(words);
    }
    commands.add({"EXEC"});
    return change(request, std::move(commands));
  }

 private:
  static Result<std::optional<Bytes>> read_value(Reply reply) {
    if (reply.kind == Reply::Kind::kNull) return std::nullopt;
    if (reply.kind != Reply::Kind::kBytes) return std::unexpected(wrong_reply());
    return std::optional(std::move(reply.bytes));
  }

  // Differs from any version that was, without asking the server.
  std::string new_version() { return std::to_string(random_() | 2); }

  template <class T, class Read>
  Answer<T> ask(Request request, Commands commands, Repeat repeat, Read read) {
    return ask<T>(request, std::move(commands), repeat, std::move(read),
                  [](Error error) { return error; });
  }
  template <class T, class Read, class Explain>
  Answer<T> ask(Request request, Commands commands, Repeat repeat, Read read, Explain explain) {
    Promise<T> promise;
    Answer<T> answer = promise.answer();
    client_->send(
        std::move(commands), request.deadline, repeat,
        [promise = std::move(promise), read = std::move(read),
         explain = std::move(explain)](Result<Reply> reply) mutable {
          if (!reply) {
            return std::move(promise).fulfil(std::unexpected(explain(std::move(reply).error())));
          }
          std::move(promise).fulfil(read(*std::move(reply)));
        });
    return answer;
  }
  Answer<void> change(Request request, Commands commands) {
    return ask<void>(request, std::move(commands), Repeat::kNo,
                     [](Reply) -> Result<void> { return {}; });
  }

  std::shared_ptr<Client> client_;  // Shared by the loop's stores and buckets.
  std::string values_;
  std::string keys_;
  std::string versions_;
  std::mt19937_64 random_;
};

class RedisStore final : public Store {
 public:
  explicit RedisStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Answer<std::unique_ptr<Bucket>> open(Request, BucketName name) override {
    TRY_VOID(check_bucket(name));
    return std::unique_ptr<Bucket>(std::make_unique<RedisBucket>(client_, name));
  }

 private:
  std::shared_ptr<Client> client_;  // Shared by the loop's stores and buckets.
};

class RedisBackend final : public Backend {
 public:
  explicit RedisBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<RedisStore>(client(loop));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    std::shared_ptr<Client> asked = client(loop);
    asked->send(Commands({"PING"}), deadline, Repeat::kNo,
                [asked, done = std::move(done)](Result<Reply> reply) mutable {
                  if (!reply) return done(std::unexpected(std::move(reply).error()));
                  done({});
                });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->health; }

 private:
  std::shared_ptr<Client> client(Loop& loop) {
    return clients_.get(&loop, [&] { return std::make_shared<Client>(loop, settings_); });
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the clients, which may outlive it.
  PerLoop<Client> clients_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  const Secret* text = choice.find("url");
  if (text == nullptr) {
    return failure(Errc::kInvalid, "no url: write url = \"redis://HOST:6379\"");
  }
  TRY(remote::ServerUrl url, remote::ServerUrl::parse(text->reveal(), {"redis", "rediss", kPort}));
  Settings settings;
  settings.endpoint = {url.host, url.port == 0 ? kPort : url.port};
  settings.user = url.user;
  settings.password = url.password;
  if (const Secret* user = choice.find("username")) settings.user = user->reveal();
  if (const Secret* password = choice.find("password")) settings.password = *password;
  if (!url.path.empty()) {
    const char* end = url.path.data() + url.path.size();
    auto [stop, error] = std::from_chars(url.path.data(), end, settings.database);
    if (error != std::errc() || stop != end) {
      return failure(Errc::kInvalid, "the URL's path is the number of a database, or nothing");
    }
  }
  TRY(settings.silence, choice.duration("timeout", settings.silence));
  if (settings.silence < std::chrono::milliseconds(10)) {
    return failure(Errc::kInvalid, "timeout: at least 10ms");
  }
  const Secret* authorities = choice.find("ca-file");
  if (url.scheme == "redis") {
    if (authorities == nullptr) return settings;
    return failure(Errc::kInvalid, "ca-file is for TLS: write rediss:// in the URL");
  }
  TRY(settings.endpoint.tls,
      TlsClient::make(authorities == nullptr ? "" : std::string(authorities->reveal())));
  return settings;
}

std::unique_ptr<Backend> redis_backend(Settings settings) {
  settings.health = std::make_shared<remote::Health>(settings.endpoint.text());
  return std::make_unique<RedisBackend>(std::move(settings));
}

}  // namespace weft::keyvalue::redis
