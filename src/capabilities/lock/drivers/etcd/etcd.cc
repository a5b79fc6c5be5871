#include "capabilities/lock/drivers/etcd/etcd.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <optional>
#include <utility>

#include "capabilities/answer_tasks.h"
#include "capabilities/keyvalue/drivers/etcd/etcd.h"
#include "capabilities/shared_by.h"
#include "remote/base64.h"
#include "remote/called_back.h"
#include "remote/etcd/client.h"

namespace weft::lock::etcd {
namespace {

namespace json = boost::json;
using remote::etcd::array_in;
using remote::etcd::bytes_in;
using remote::etcd::Client;
using remote::etcd::number_in;
using remote::etcd::object_in;

constexpr std::string_view kPrefix = "weft-lock";
constexpr std::chrono::seconds kRevokeMax{5};
// How often a key is looked at anew that a renewal from before changed meanwhile.
constexpr int kTries = 4;

// A part of a key, with nothing in it that ends the part.
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

std::string base64(std::string_view text) {
  return remote::base64(as_bytes(text));
}

Error wrong_answer() {
  return {Errc::kCorrupt, "etcd: an answer of another shape than was asked for"};
}

// Each question does the same when it is asked again, and says the same but for a release; a lease
// too many ends by itself. Nothing where the loop has no store any more.
Task<json::object> ask(std::weak_ptr<Client> weak, std::string path, std::string body,
                       Deadline deadline, Client::Repeat repeat = Client::Repeat::kYes) {
  return remote::called_back<json::object>([weak = std::move(weak), path = std::move(path),
                                            body = std::move(body), deadline,
                                            repeat](auto done) mutable {
    if (auto client = weak.lock()) {
      client->ask(path, std::move(body), deadline, repeat, std::move(done));
    }
  });
}

// Who has the lock, the revision that made its key, and what the last one made of it.
struct Holder {
  std::string name;
  std::uint64_t token = 0;
  std::uint64_t revision = 0;
  std::uint64_t lease = 0;
};

Result<std::optional<Holder>> holder_in(const json::object& range) {
  const json::array* found = array_in(range, "kvs");
  if (found == nullptr || found->empty()) return std::nullopt;
  const json::object* kv = found->front().if_object();
  if (kv == nullptr) return std::unexpected(wrong_answer());
  TRY(Bytes name, bytes_in(*kv, "value"));
  Holder holder{std::string(as_text(name)), number_in(*kv, "create_revision"),
                number_in(*kv, "mod_revision"), number_in(*kv, "lease")};
  if (holder.token == 0) return std::unexpected(wrong_answer());
  return holder;
}

// The same of a transaction's answer whose one response, where it fails, is a range.
Result<std::optional<Holder>> holder_instead(const json::object& answer) {
  const json::array* responses = array_in(answer, "responses");
  const json::object* first =
      responses == nullptr || responses->empty() ? nullptr : responses->front().if_object();
  const json::object* range = first == nullptr ? nullptr : object_in(*first, "response_range");
  if (range == nullptr) return std::unexpected(wrong_answer());
  return holder_in(*range);
}

Result<std::uint64_t> revision_of(const json::object& answer) {
  const json::object* header = object_in(answer, "header");
  std::uint64_t revision = header == nullptr ? 0 : number_in(*header, "revision");
  if (revision == 0) return std::unexpected(wrong_answer());
  return revision;
}

bool succeeded(const json::object& answer) {
  const json::value* value = answer.if_contains("succeeded");
  return value != nullptr && value->is_bool() && value->get_bool();
}

// One lock, and who asks for it. In base64, as etcd's JSON has it.
struct Asked {
  std::weak_ptr<Client> client;
  std::string key;
  std::string holder;
  Deadline deadline;
};

Task<std::uint64_t> grant(Asked asked, Milliseconds ttl) {
  auto seconds = std::chrono::ceil<std::chrono::seconds>(ttl).count();
  CO_TRY(json::object answer,
         co_await ask(asked.client, "lease/grant", fmt::format(R"({{"TTL":"{}"}})", seconds),
                      asked.deadline));
  std::uint64_t lease = number_in(answer, "ID");
  if (lease == 0) co_return std::unexpected(wrong_answer());
  co_return lease;
}

// Whether it is done nobody waits for: the lease ends by itself.
void revoke(const std::weak_ptr<Client>& weak, std::uint64_t lease) {
  auto client = weak.lock();
  if (client == nullptr || lease == 0) return;
  client->ask("lease/revoke", fmt::format(R"({{"ID":"{}"}})", lease), Deadline::after(kRevokeMax),
              Client::Repeat::kNo, [](const Result<json::object>&) {});
}

std::string put(const Asked& asked, std::uint64_t lease) {
  return fmt::format(R"({{"request_put":{{"key":"{}","value":"{}","lease":"{}"}}}})", asked.key,
                     asked.holder, lease);
}

std::string is_held(const Asked& asked) {
  return fmt::format(R"({{"target":"VALUE","result":"EQUAL","key":"{}","value":"{}"}})", asked.key,
                     asked.holder);
}

// A transaction that puts the key on a lease. That lease may have ended on the way, where nothing
// went on for as long as it lives: nothing was done then, and later may work.
Task<json::object> put_on_lease(Asked asked, std::string body) {
  auto answer = co_await ask(asked.client, "kv/txn", std::move(body), asked.deadline);
  if (!answer && answer.error().code() == Errc::kNotFound) {
    co_return failure(Errc::kUnavailable,
                      "etcd: the lock's lease ended before it was used: the cluster is slow");
  }
  co_return answer;
}

std::string range(const Asked& asked) {
  return fmt::format(R"({{"request_range":{{"key":"{}"}}}})", asked.key);
}

std::string renewal(const Asked& asked, std::uint64_t lease, std::uint64_t revision) {
  return fmt::format(R"({{"compare":[{},{{"target":"MOD","result":"EQUAL","key":"{}",)"
                     R"("mod_revision":"{}"}}],"success":[{}],"failure":[{}]}})",
                     is_held(asked), asked.key, revision, put(asked, lease), range(asked));
}

class EtcdStore final : public Store {
 public:
  EtcdStore(std::shared_ptr<Client> client, std::shared_ptr<const Settings> settings)
      : client_(std::move(client)), settings_(std::move(settings)) {}

  Answer<Attempt> take(Request request, const LockName& lock, const std::string& holder,
                       Milliseconds ttl) override {
    return promised(request.loop, taken(asked(request, lock, holder), holder, ttl, leases_));
  }
  Answer<bool> renew(Request request, const LockName& lock, const std::string& holder,
                     Milliseconds ttl) override {
    return promised(request.loop, renewed(asked(request, lock, holder), holder, ttl, leases_));
  }
  Answer<bool> release(Request request, const LockName& lock, const std::string& holder) override {
    return promised(request.loop, released(asked(request, lock, holder), holder, leases_));
  }

 private:
  // The lease that is to be given back with a lock, and the revision that put its key there.
  struct Kept {
    std::uint64_t lease = 0;
    std::uint64_t revision = 0;
  };
  // By holder. As large as there are holds.
  using Leases = std::shared_ptr<std::map<std::string, Kept>>;

  Asked asked(Request request, const LockName& lock, const std::string& holder) const {
    std::string key =
        fmt::format("{}/{}/{}", settings_->prefix, escaped(lock.scope), escaped(lock.name));
    return {client_, base64(key), base64(holder), request.deadline};
  }

  static Task<Attempt> taken(Asked asked, std::string holder, Milliseconds ttl, Leases leases);
  static Task<bool> renewed(Asked asked, std::string holder, Milliseconds ttl, Leases leases);
  static Task<bool> released(Asked asked, std::string holder, Leases leases);

  std::shared_ptr<Client> client_;  // Shared by the loop's stores.
  std::shared_ptr<const Settings> settings_;
  Leases leases_ = std::make_shared<Leases::element_type>();  // Shared with what is under way.
};

Task<Attempt> EtcdStore::taken(Asked asked, std::string holder, Milliseconds ttl, Leases leases) {
  // Looked at first: a lease for each try that fails would cost the cluster two writes.
  std::string look = fmt::format(R"({{"key":"{}"}})", asked.key);
  CO_TRY(json::object found, co_await ask(asked.client, "kv/range", look, asked.deadline));
  CO_TRY(std::optional<Holder> now, holder_in(found));
  if (now) co_return Attempt{.again = ask_again()};
  CO_TRY(std::uint64_t lease, co_await grant(asked, ttl));
  std::string body = fmt::format(R"({{"compare":[{{"target":"CREATE","result":"EQUAL","key":"{}",)"
                                 R"("create_revision":"0"}}],"success":[{}],)"
                                 R"("failure":[{}]}})",
                                 asked.key, put(asked, lease), range(asked));
  CO_TRY(json::object answer, co_await put_on_lease(asked, body));
  if (succeeded(answer)) {
    CO_TRY(std::uint64_t token, revision_of(answer));
    leases->insert_or_assign(holder, Kept{lease, token});
    co_return Attempt{.token = token};
  }
  CO_TRY(now, holder_instead(answer));
  if (now && now->name == holder) {
    // It was asked twice, and done the first time.
    leases->insert_or_assign(holder, Kept{now->lease, now->revision});
    co_return Attempt{.token = now->token};
  }
  revoke(asked.client, lease);
  co_return Attempt{.again = ask_again()};
}

Task<bool> EtcdStore::renewed(Asked asked, std::string holder, Milliseconds ttl, Leases leases) {
  CO_TRY(std::uint64_t lease, co_await grant(asked, ttl));
  auto known = leases->find(holder);
  std::uint64_t revision = known == leases->end() ? 0 : known->second.revision;
  for (int i = 0; i < kTries; ++i) {
    std::string body = renewal(asked, lease, revision);
    CO_TRY(json::object answer, co_await put_on_lease(asked, body));
    std::optional<Holder> now;
    if (succeeded(answer)) {
      CO_TRY(revision, revision_of(answer));
    } else {
      CO_TRY(now, holder_instead(answer));
      if (!now || now->name != holder) {
        revoke(asked.client, lease);
        co_return false;
      }
      revision = now->revision;
      // It is as a renewal from before left it that was not answered: on that one's lease.
      if (now->lease != lease) continue;
      // It was asked twice, and done the first time.
    }
    // The key belongs to the new lease by now.
    Kept before = std::exchange((*leases)[holder], Kept{lease, revision});
    revoke(asked.client, before.lease);
    co_return true;
  }
  co_return failure(Errc::kUnavailable, "etcd: the lock's key was changed all the time");
}

Task<bool> EtcdStore::released(Asked asked, std::string holder, Leases leases) {
  std::string erase = fmt::format(R"({{"request_delete_range":{{"key":"{}"}}}})", asked.key);
  std::string body = fmt::format(R"({{"compare":[{}],"success":[{}]}})", is_held(asked), erase);
  auto answer = co_await ask(asked.client, "kv/txn", body, asked.deadline, Client::Repeat::kNo);
  if (auto lease = leases->find(holder); lease != leases->end()) {
    revoke(asked.client, lease->second.lease);
    leases->erase(lease);
  }
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return succeeded(*answer);
}

class EtcdBackend final : public Backend {
 public:
  explicit EtcdBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<EtcdStore>(client(loop), settings_);
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    std::shared_ptr<Client> asked = client(loop);
    // Whether this user may read there: no lock of anybody's.
    asked->ask("kv/range",
               fmt::format(R"({{"key":"{}","count_only":true}})", base64(settings_->prefix + "/")),
               deadline, Client::Repeat::kYes,
               [asked, done = std::move(done)](Result<json::object> answer) mutable {
                 if (!answer) return done(std::unexpected(std::move(answer).error()));
                 done({});
               });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<Client> client(Loop& loop) {
    return clients_.get(&loop, [&] {
      return std::make_shared<Client>(
          loop, std::shared_ptr<const remote::etcd::Settings>(settings_, &settings_->server));
    });
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the clients, which may outlive it.
  PerLoop<Client> clients_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return keyvalue::etcd::driver_keys();
}

Result<Settings> read_settings(const DriverChoice& choice) {
  TRY(Settings settings, keyvalue::etcd::read_settings(choice));
  if (choice.find("prefix") == nullptr) settings.prefix = kPrefix;
  return settings;
}

std::unique_ptr<Backend> etcd_backend(Settings settings) {
  std::string_view server = settings.server.servers.front();
  settings.server.health =
      std::make_shared<remote::Health>(std::string(server.substr(server.find("//") + 2)));
  return std::make_unique<EtcdBackend>(std::move(settings));
}

}  // namespace weft::lock::etcd
