#include "capabilities/keyvalue/drivers/etcd/keys.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>
#include <utility>

#include "io/loop.h"
#include "remote/base64.h"

namespace weft::keyvalue::etcd {
namespace {

namespace json = boost::json;
using remote::etcd::array_in;
using remote::etcd::bytes_in;
using remote::etcd::Client;
using remote::etcd::number_in;
using remote::etcd::object_in;
using Repeat = Client::Repeat;

constexpr std::size_t kBesideChange = 64;

Error wrong_answer() {
  return {Errc::kCorrupt, "etcd: an answer of another shape than was asked for"};
}

// What a range of one key found.
Result<Snapshot> read_snapshot(const json::object& range) {
  const json::array* found = array_in(range, "kvs");
  if (found == nullptr || found->empty()) return Snapshot{};
  const json::object* kv = found->front().if_object();
  if (kv == nullptr) return std::unexpected(wrong_answer());
  Snapshot snapshot;
  snapshot.version = number_in(*kv, "mod_revision");
  if (snapshot.version == 0) return std::unexpected(wrong_answer());
  TRY(snapshot.value, bytes_in(*kv, "value"));
  return snapshot;
}

std::uint64_t revision_of(const json::object& answer) {
  const json::object* header = object_in(answer, "header");
  return header == nullptr ? 0 : number_in(*header, "revision");
}

// The range that the first of a transaction's operations was, or that of `number`.
const json::object* range_in(const json::object& answer, std::size_t number) {
  const json::array* responses = array_in(answer, "responses");
  if (responses == nullptr || responses->size() <= number) return nullptr;
  const json::object* response = (*responses)[number].if_object();
  return response == nullptr ? nullptr : object_in(*response, "response_range");
}

}  // namespace

Keys::Keys(std::shared_ptr<Client> client, std::string prefix)
    : client_(std::move(client)), prefix_(std::move(prefix)) {}

std::size_t Keys::bytes_of(const Change& change) const {
  return prefix_.size() + change.key.size() + (change.value ? change.value->size() : 0) +
         kBesideChange;
}

// "key":"...", without what is around it.
void Keys::append_key(std::string& body, std::string_view key) const {
  body += R"("key":")";
  remote::append_base64(body, as_bytes(prefix_ + std::string(key)));
  body += '"';
}

void Keys::read(std::string_view key, Deadline deadline, Done<Snapshot> done) {
  std::string body = "{";
  append_key(body, key);
  body += '}';
  client_->ask("kv/range", std::move(body), deadline, Repeat::kYes,
               [done = std::move(done)](Result<json::object> answer) mutable {
                 if (!answer) return done(std::unexpected(std::move(answer).error()));
                 done(read_snapshot(*answer));
               });
}

void Keys::exists(std::string_view key, Deadline deadline, Done<bool> done) {
  std::string body = "{";
  append_key(body, key);
  body += R"(,"count_only":true})";
  client_->ask("kv/range", std::move(body), deadline, Repeat::kYes,
               [done = std::move(done)](Result<json::object> answer) mutable {
                 if (!answer) return done(std::unexpected(std::move(answer).error()));
                 done(number_in(*answer, "count") > 0);
               });
}

void Keys::read_some(const std::vector<std::string>& keys, Deadline deadline, ReadMany::Done done) {
  std::string body = R"({"success":[)";
  for (const std::string& key : keys) {
    body += body.back() == '[' ? R"({"request_range":{)" : R"(,{"request_range":{)";
    append_key(body, key);
    body += "}}";
  }
  body += "]}";
  client_->ask("kv/txn", std::move(body), deadline, Repeat::kYes,
               [count = keys.size(), done = std::move(done)](Result<json::object> answer) mutable {
                 if (!answer) return done(std::unexpected(std::move(answer).error()));
                 ReadMany::Values values;
                 for (std::size_t i = 0; i < count; ++i) {
                   const json::object* range = range_in(*answer, i);
                   auto found =
                       range == nullptr ? std::unexpected(wrong_answer()) : read_snapshot(*range);
                   if (!found) return done(std::unexpected(std::move(found).error()));
                   values.push_back(std::move(found->value));
                 }
                 done(std::move(values));
               });
}

void Keys::list(std::optional<std::string_view> cursor, Deadline deadline, Done<Page> done) {
  std::string body = "{";
  // The first key behind the cursor's is the same with a zero behind it.
  append_key(body, cursor ? std::string(*cursor) + '\0' : std::string());
  body += fmt::format(R"(,"range_end":"{}","limit":"{}","keys_only":true}})",
                      remote::base64(as_bytes(remote::etcd::end_of_prefix(prefix_))),
                      kListPageKeys + 1);
  auto read = [prefix = prefix_.size()](const json::object& answer) -> Result<Page> {
    Page page;
    const json::array* found = array_in(answer, "kvs");
    if (found == nullptr) return page;
    for (const json::value& each : *found) {
      const json::object* kv = each.if_object();
      if (kv == nullptr) return std::unexpected(wrong_answer());
      TRY(Bytes key, bytes_in(*kv, "key"));
      if (key.size() < prefix) return std::unexpected(wrong_answer());
      page.keys.emplace_back(as_text(key).substr(prefix));
    }
    if (page.keys.size() <= kListPageKeys) return page;
    page.keys.resize(kListPageKeys);
    page.cursor = page.keys.back();
    return page;
  };
  client_->ask("kv/range", std::move(body), deadline, Repeat::kYes,
               [read, done = std::move(done)](Result<json::object> answer) mutable {
                 if (!answer) return done(std::unexpected(std::move(answer).error()));
                 done(read(*answer));
               });
}

void Keys::write(std::vector<Change> changes, Deadline deadline, Done<Written> done) {
  std::size_t bytes = 0;
  for (const Change& change : changes) bytes += bytes_of(change);
  queue({std::move(changes), std::nullopt, bytes, deadline, std::move(done)});
}

void Keys::swap(Change change, std::uint64_t version, Deadline deadline, Done<Written> done) {
  std::size_t bytes = bytes_of(change);
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  queue({std::move(changes), version, bytes, deadline, std::move(done)});
}

void Keys::queue(Write write) {
  if (waiting_.size() >= kWritesMax || waiting_bytes_ + write.bytes > kWritesBytesMax) {
    Error error(Errc::kLimit, fmt::format("etcd: {} writes wait already", waiting_.size()));
    // Never from inside what the caller called.
    return client_->loop().defer([done = std::move(write.done), error]() mutable {
      done(std::unexpected(std::move(error)));
    });
  }
  waiting_bytes_ += write.bytes;
  waiting_.push_back(std::move(write));
  if (writing_) return;
  writing_ = true;
  // What the same batch of handlers writes goes along.
  client_->loop().defer_last([weak = weak_from_this()] {
    if (auto self = std::static_pointer_cast<Keys>(weak.lock())) self->write_next();
  });
}

// The writes that go in one transaction: a swap alone, others as far as they fit and are of
// different keys.
std::vector<Keys::Write> Keys::take_next() {
  std::vector<Write> writes;
  std::set<std::string_view> keys;
  std::size_t changes = 0;
  std::size_t bytes = 0;
  while (!waiting_.empty()) {
    Write& next = waiting_.front();
    if (next.deadline.passed()) {
      waiting_bytes_ -= next.bytes;
      next.done(failure(Errc::kTimeout, "etcd: the deadline passed before it was sent"));
      waiting_.pop_front();
      continue;
    }
    bool fits = writes.empty() || (!next.version && changes + next.changes.size() <= kChangesMax &&
                                   bytes + next.bytes <= kChangesBytesMax);
    for (const Change& each : next.changes) fits = fits && !keys.contains(each.key);
    if (!fits) break;
    changes += next.changes.size();
    bytes += next.bytes;
    waiting_bytes_ -= next.bytes;
    writes.push_back(std::move(next));
    waiting_.pop_front();
    // Views of strings that move no more: the vector in which they are has moved already.
    for (const Change& each : writes.back().changes) keys.insert(each.key);
    if (writes.back().version) break;
  }
  return writes;
}

std::string Keys::transaction(const std::vector<Write>& writes) const {
  std::string body = "{";
  if (writes.front().version) {
    body += R"("compare":[{"target":"MOD","result":"EQUAL",)";
    append_key(body, writes.front().changes.front().key);
    body += fmt::format(R"(,"mod_revision":"{}"}}],"failure":[{{"request_range":{{)",
                        *writes.front().version);
    append_key(body, writes.front().changes.front().key);
    body += "}}],";
  }
  body += R"("success":[)";
  for (const Write& write : writes) {
    for (const Change& change : write.changes) {
      if (body.back() != '[') body += ',';
      body += change.value ? R"({"request_put":{)" : R"({"request_delete_range":{)";
      append_key(body, change.key);
      if (change.value) {
        body += R"(,"value":")";
        remote::append_base64(body, *change.value);
        body += '"';
      }
      body += "}}";
    }
  }
  return body + "]}";
}

void Keys::write_next() {
  std::vector<Write> writes = take_next();
  if (writes.empty()) {
    writing_ = false;
    return;
  }
  std::string body = transaction(writes);
  Deadline last = writes.front().deadline;
  for (const Write& each : writes) {
    if (each.deadline.when() > last.when()) last = each.deadline;
  }
  client_->ask(
      "kv/txn", std::move(body), last, Repeat::kNo,
      [weak = weak_from_this(), writes = std::move(writes)](Result<json::object> answer) mutable {
        auto self = std::static_pointer_cast<Keys>(weak.lock());
        if (self != nullptr) self->answered(std::move(writes), std::move(answer));
      });
}

void Keys::answered(std::vector<Write> writes, Result<json::object> answer) {
  Result<Written> written = Written{};
  if (!answer) {
    written = std::unexpected(std::move(answer).error());
  } else {
    const json::value* succeeded = answer->if_contains("succeeded");
    written->done = succeeded != nullptr && succeeded->is_bool() && succeeded->get_bool();
    written->revision = revision_of(*answer);
    if (!written->done) {
      const json::object* range = range_in(*answer, 0);
      auto now = range == nullptr ? std::unexpected(wrong_answer()) : read_snapshot(*range);
      if (now) {
        written->now = *std::move(now);
      } else {
        written = std::unexpected(std::move(now).error());
      }
    }
  }
  for (Write& each : writes) each.done(written);
  write_next();
}

void Keys::read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) {
  read(key, deadline, std::move(done));
}

void Keys::swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                      Done<std::uint64_t> done) {
  swap({key, std::move(value)}, basis.value ? basis.version : 0, deadline,
       [done = std::move(done)](Result<Written> written) mutable {
         if (!written) return done(std::unexpected(std::move(written).error()));
         done(written->done ? std::max<std::uint64_t>(written->revision, 1) : 0);
       });
}

}  // namespace weft::keyvalue::etcd
