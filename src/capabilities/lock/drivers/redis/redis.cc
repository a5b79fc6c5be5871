#include "capabilities/lock/drivers/redis/redis.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "capabilities/keyvalue/drivers/redis/redis.h"
#include "capabilities/lock/drivers/redis/scripts.h"
#include "capabilities/shared_by.h"

namespace weft::lock::redis {
namespace {

using keyvalue::redis::Client;
using keyvalue::redis::Commands;
using keyvalue::redis::Reply;

// What stands in a key instead of a scope: nothing in it ends the part it is in.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = static_cast<unsigned char>(c) > ' ' && c != '%' && c != '{' && c != '}' &&
                 c != ':' && c != 0x7f;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// The braces keep a scope on one slot of a cluster.
std::string lock_key(const LockName& lock) {
  return fmt::format("weft:lock:{{{}}}:held:{}", escaped(lock.scope), lock.name);
}
std::string token_key(const LockName& lock) {
  return fmt::format("weft:lock:{{{}}}:token", escaped(lock.scope));
}

// Later renewals have larger ones. Numbers are compared within the life of a holder only, which has
// one clock; in microseconds they are exact in the server's scripts.
std::string renewal_number() {
  auto since = Clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

Error wrong_reply() {
  return {Errc::kCorrupt, "Redis: an answer of another kind than was asked for"};
}

Result<Attempt> read_attempt(const Reply& reply) {
  if (reply.kind == Reply::Kind::kNull) return Attempt{.again = ask_again()};
  Attempt attempt;
  std::string_view text = reply.text();
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), attempt.token);
  bool number = problem == std::errc() && end == text.data() + text.size();
  if (!number || attempt.token == 0) return std::unexpected(wrong_reply());
  return attempt;
}

class RedisStore final : public Store {
 public:
  explicit RedisStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Answer<Attempt> take(Request request, const LockName& lock, const std::string& holder,
                       Milliseconds ttl) override {
    Commands commands;
    commands.add(
        {"EVAL", kTake, "2", lock_key(lock), token_key(lock), holder, std::to_string(ttl.count())});
    return ask<Attempt>(request, std::move(commands), read_attempt);
  }
  Answer<bool> renew(Request request, const LockName& lock, const std::string& holder,
                     Milliseconds ttl) override {
    Commands commands;
    commands.add({"EVAL", kRenew, "1", lock_key(lock), holder, std::to_string(ttl.count()),
                  renewal_number()});
    return ask<bool>(request, std::move(commands), read_truth);
  }
  Answer<bool> release(Request request, const LockName& lock, const std::string& holder) override {
    Commands commands;
    commands.add({"EVAL", kRelease, "1", lock_key(lock), holder});
    return ask<bool>(request, std::move(commands), read_truth, Client::Repeat::kNo);
  }

 private:
  static Result<bool> read_truth(const Reply& reply) {
    if (reply.kind != Reply::Kind::kInteger) return std::unexpected(wrong_reply());
    return reply.integer == 1;
  }

  // Each script does the same when it is sent again, and says the same but for a release.
  template <class T>
  Answer<T> ask(Request request, Commands commands, Result<T> (*read)(const Reply&),
                Client::Repeat repeat = Client::Repeat::kYes) {
    Promise<T> promise;
    Answer<T> answer = promise.answer();
    client_->send(std::move(commands), request.deadline, repeat,
                  [promise = std::move(promise), read](Result<Reply> reply) mutable {
                    if (!reply) {
                      return std::move(promise).fulfil(std::unexpected(std::move(reply).error()));
                    }
                    std::move(promise).fulfil(read(*reply));
                  });
    return answer;
  }

  std::shared_ptr<Client> client_;  // Shared by the loop's stores.
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
    asked->send(Commands({"PING"}), deadline, Client::Repeat::kNo,
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
  return keyvalue::redis::driver_keys();
}

Result<Settings> read_settings(const DriverChoice& choice) {
  return keyvalue::redis::read_settings(choice);
}

std::unique_ptr<Backend> redis_backend(Settings settings) {
  settings.health = std::make_shared<remote::Health>(settings.endpoint.text());
  return std::make_unique<RedisBackend>(std::move(settings));
}

}  // namespace weft::lock::redis
