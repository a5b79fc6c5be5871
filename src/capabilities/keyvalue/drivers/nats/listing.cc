#include "capabilities/keyvalue/drivers/nats/listing.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <map>
#include <utility>

#include "capabilities/keyvalue/drivers/many.h"
#include "capabilities/keyvalue/drivers/nats/names.h"
#include "io/loop.h"
#include "remote/called_back.h"

namespace weft::keyvalue::nats {
namespace {

namespace json = boost::json;
using remote::called_back;
using remote::nats::ApiAnswer;
using remote::nats::Client;
using remote::nats::Message;
using remote::nats::Problem;

// Messages that are asked for at once: without their values a few hundred bytes each.
constexpr std::size_t kBatch = 2'000;
constexpr std::chrono::nanoseconds kConsumerStays = std::chrono::seconds(30);

// The last word of an acknowledgement's subject: messages that are to come.
std::optional<std::uint64_t> still_to_come(std::string_view reply) {
  std::string_view last = reply.substr(reply.rfind('.') + 1);
  std::uint64_t count = 0;
  auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), count);
  if (last.empty() || error != std::errc() || end != last.data() + last.size()) {
    return std::nullopt;
  }
  return count;
}

// Keys by whether they are there: of two messages of one key the later counts. Shared with what is
// called for each message.
struct Listing {
  std::string prefix;  // Of their subjects.
  std::optional<std::string> cursor;
  std::map<std::string, bool> keys;
  std::size_t looked_at = 0;
  std::size_t in_batch = 0;
  bool all = false;

  // True: more are to come in this batch.
  bool take(const Message& message) {
    ++in_batch;
    ++looked_at;
    std::string_view subject = message.subject;
    std::optional<std::string> key;
    if (subject.starts_with(prefix)) key = unescape_key(subject.substr(prefix.size()));
    if (key && (!cursor || *key > *cursor)) {
      const std::string* operation = message.headers.find("KV-Operation");
      keys[*std::move(key)] = operation == nullptr || *operation == "PUT";
    }
    all = still_to_come(message.reply) == 0;
    return !all && in_batch < kBatch;
  }

  Page page() const {
    Page page;
    for (const auto& [key, there] : keys) {
      if (!there) continue;
      if (page.keys.size() == kListPageKeys) {
        page.cursor = page.keys.back();
        break;
      }
      page.keys.push_back(key);
    }
    return page;
  }
};

Task<ApiAnswer> api(std::weak_ptr<Keys> weak, std::string what, json::object body,
                    Deadline deadline) {
  return called_back<ApiAnswer>([weak = std::move(weak), what = std::move(what),
                                 body = std::move(body), deadline](auto done) {
    auto keys = weak.lock();
    if (keys == nullptr) return;
    remote::nats::api(*keys->client(), what, body, deadline, Client::Repeat::kNo, std::move(done));
  });
}

// Asks for a batch, and waits until it is there.
Task<void> fetch(std::weak_ptr<Keys> weak, std::string what, std::shared_ptr<Listing> listing,
                 Deadline deadline) {
  listing->in_batch = 0;
  auto start = [&](auto done) {
    auto keys = weak.lock();
    if (keys == nullptr) return;
    std::string body = fmt::format(R"({{"batch":{},"no_wait":true}})", kBatch);
    keys->client()->request(
        {fmt::format("$JS.API.{}", what), {}, to_bytes(body)}, deadline,
        [listing](Message message) { return listing->take(message); }, std::move(done));
  };
  CO_TRY(Message last, co_await called_back<Message>(start));
  unsigned status = last.headers.status;
  if (status == 404 || status == 408) {
    listing->all = true;
  } else if (status != 0) {
    co_return failure(Errc::kUnavailable, fmt::format("NATS: a list ends with status {} {}", status,
                                                      last.headers.description));
  }
  co_return Result<void>();
}

}  // namespace

Task<Page> list_keys(std::weak_ptr<Keys> weak, Deadline deadline,
                     std::optional<std::string> cursor) {
  auto listing = std::make_shared<Listing>();
  std::string stream;
  std::string filter;
  {
    auto keys = weak.lock();
    if (keys == nullptr) co_return std::unexpected(gone());
    stream = fmt::format("KV_{}", keys->name());
    listing->prefix = keys->subject("");
    listing->cursor = std::move(cursor);
    filter = keys->subject(">");
  }
  auto ready = [&](auto done) {
    auto keys = weak.lock();
    if (keys == nullptr) return;
    Loop& loop = keys->client()->loop();
    keys->ready([&loop, done = std::move(done)](Result<void> there) mutable {
      // It may be there at once, which is too early for who has not begun to wait.
      loop.defer([done = std::move(done), there = std::move(there)]() mutable {
        done(there ? Result<bool>(true) : std::unexpected(std::move(there).error()));
      });
    });
  };
  CO_TRY(bool there, co_await called_back<bool>(ready));
  if (!there) co_return std::unexpected(gone());
  json::object config{{"deliver_policy", "last_per_subject"},
                      {"ack_policy", "none"},
                      {"replay_policy", "instant"},
                      {"filter_subject", filter},
                      {"headers_only", true},
                      {"mem_storage", true},
                      {"inactive_threshold", kConsumerStays.count()}};
  CO_TRY(ApiAnswer made, co_await api(weak, fmt::format("CONSUMER.CREATE.{}", stream),
                                      {{"stream_name", stream}, {"config", config}}, deadline));
  if (made.problem == Problem::kStreamNotFound) co_return Page();
  if (made.problem != Problem::kNone) co_return std::unexpected(std::move(made.error));
  const json::value* name = made.body.if_contains("name");
  const json::string* consumer = name == nullptr ? nullptr : name->if_string();
  const json::value* pending = made.body.if_contains("num_pending");
  if (consumer == nullptr) {
    co_return failure(Errc::kCorrupt, "JetStream made a consumer without a name");
  }
  std::string who = fmt::format("{}.{}", stream, std::string_view(*consumer));
  listing->all = pending != nullptr && pending->is_int64() && pending->get_int64() == 0;
  Result<void> fetched;
  while (!listing->all && fetched) {
    fetched = co_await fetch(weak, fmt::format("CONSUMER.MSG.NEXT.{}", who), listing, deadline);
    if (fetched && listing->looked_at > kListedMax) {
      fetched = failure(Errc::kLimit,
                        fmt::format("a bucket of more than {} keys cannot be listed", kListedMax));
    }
  }
  if (auto keys = weak.lock()) {
    remote::nats::api(*keys->client(), fmt::format("CONSUMER.DELETE.{}", who), {},
                      Deadline::after(std::chrono::seconds(10)), Client::Repeat::kRead,
                      [](Result<ApiAnswer>) {});
  }
  if (!fetched) co_return std::unexpected(std::move(fetched).error());
  co_return listing->page();
}

}  // namespace weft::keyvalue::nats
