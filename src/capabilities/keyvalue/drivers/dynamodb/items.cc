#include "capabilities/keyvalue/drivers/dynamodb/items.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <utility>

#include "capabilities/keyvalue/drivers/dynamodb/item_format.h"
#include "remote/base64.h"

namespace weft::keyvalue::dynamodb {
namespace {

namespace json = boost::json;
using Kind = Client::Kind;

// {"TableName":"...","Key":{...}, and what follows it.
std::string about_item(const Items& items, const std::string& key) {
  std::string body = fmt::format(R"({{"TableName":"{}","Key":{{)", items.client->settings().table);
  append_key(body, items.partition, key);
  return body + '}';
}

Task<Snapshot> get_item(const Items& items, const std::string& key, std::string_view what,
                        Deadline deadline) {
  auto body = [&] {
    return about_item(items, key) + R"(,"ConsistentRead":true)" + std::string(what);
  };
  CO_TRY(Reply reply, co_await items.client->call("GetItem", Kind::kRead, body, deadline));
  const json::object* item = object_in(reply.body, "Item");
  if (item == nullptr) co_return Snapshot();
  co_return snapshot_in(*item);
}

// What an answer about several keys has for our table, which is the only one that was named.
const json::value* of_table(const json::object& answer, std::string_view name) {
  const json::object* tables = object_in(answer, name);
  return tables == nullptr || tables->empty() ? nullptr : &tables->begin()->value();
}

Result<std::string> stored_key_in(const json::object& item) {
  TRY(std::string key, key_in(item));
  return stored_key(key);
}

std::string read_body(const Items& items, const std::vector<std::string>& keys) {
  std::string body = fmt::format(R"({{"RequestItems":{{"{}":{{"ConsistentRead":true,"Keys":[)",
                                 items.client->settings().table);
  for (const std::string& key : keys) {
    body += body.back() == '[' ? "{" : ",{";
    append_key(body, items.partition, key);
    body += '}';
  }
  return body + "]}}}";
}

// The keys that have still to be read.
Result<std::vector<std::string>> unread_in(const json::object& answer) {
  std::vector<std::string> keys;
  const json::value* table = of_table(answer, "UnprocessedKeys");
  if (table == nullptr) return keys;
  const json::object* unread = table->if_object();
  const json::value* list = unread == nullptr ? nullptr : unread->if_contains("Keys");
  if (list == nullptr || !list->is_array()) return std::unexpected(wrong_answer());
  for (const json::value& each : list->get_array()) {
    if (!each.is_object()) return std::unexpected(wrong_answer());
    TRY(std::string key, stored_key_in(each.get_object()));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<void> take_values(const json::object& answer, std::map<std::string, Bytes>& values) {
  const json::value* list = of_table(answer, "Responses");
  if (list == nullptr) return {};
  if (!list->is_array()) return std::unexpected(wrong_answer());
  for (const json::value& each : list->get_array()) {
    if (!each.is_object()) return std::unexpected(wrong_answer());
    TRY(std::string key, stored_key_in(each.get_object()));
    TRY(Snapshot found, snapshot_in(each.get_object()));
    values[std::move(key)] = *std::move(found.value);
  }
  return {};
}

std::string put_body(const Items& items, const std::string& key, BytesView value,
                     std::uint64_t version) {
  std::string body = fmt::format(R"({{"TableName":"{}","Item":{{)", items.client->settings().table);
  append_item(body, items.partition, key, value, version);
  return body + '}';
}

std::string write_body(const Items& items, const std::map<std::string, Change>& changes) {
  std::string body = fmt::format(R"({{"RequestItems":{{"{}":[)", items.client->settings().table);
  for (const auto& [key, change] : changes) {
    if (body.back() != '[') body += ',';
    if (change.value) {
      body += R"({"PutRequest":{"Item":{)";
      append_item(body, items.partition, key, *change.value, items.client->new_version());
    } else {
      body += R"({"DeleteRequest":{"Key":{)";
      append_key(body, items.partition, key);
    }
    body += "}}}";
  }
  return body + "]}}";
}

// Leaves those changes that have still to be made.
Result<void> keep_unwritten(const json::object& answer, std::map<std::string, Change>& changes) {
  std::map<std::string, Change> left;
  const json::value* list = of_table(answer, "UnprocessedItems");
  if (list != nullptr && !list->is_array()) return std::unexpected(wrong_answer());
  for (std::size_t i = 0; list != nullptr && i < list->get_array().size(); ++i) {
    const json::object* each = list->get_array()[i].if_object();
    const json::object* put = each == nullptr ? nullptr : object_in(*each, "PutRequest");
    const json::object* erase = each == nullptr ? nullptr : object_in(*each, "DeleteRequest");
    const json::object* item = put != nullptr     ? object_in(*put, "Item")
                               : erase != nullptr ? object_in(*erase, "Key")
                                                  : nullptr;
    if (item == nullptr) return std::unexpected(wrong_answer());
    TRY(std::string key, stored_key_in(*item));
    auto known = changes.find(key);
    if (known == changes.end()) return std::unexpected(wrong_answer());
    left.insert(changes.extract(known));
  }
  changes = std::move(left);
  return {};
}

Error still_busy(std::size_t count) {
  return {Errc::kUnavailable,
          fmt::format("DynamoDB: it left {} keys of a batch undone, and does so still: the table "
                      "has too little capacity",
                      count)};
}

std::string_view condition_for(Basis basis) {
  if (!basis.there) {
    return R"~(,"ConditionExpression":"attribute_not_exists(#k)",)~"
           R"~("ExpressionAttributeNames":{"#k":"key"})~";
  }
  if (basis.version == 0) {
    return R"~(,"ConditionExpression":"attribute_exists(#k) AND attribute_not_exists(#n)",)~"
           R"~("ExpressionAttributeNames":{"#k":"key","#n":"version"})~";
  }
  return R"(,"ConditionExpression":"#n = :n","ExpressionAttributeNames":{"#n":"version"})";
}

}  // namespace

Task<Snapshot> read_item(Items items, std::string key, Deadline deadline) {
  co_return co_await get_item(items, key, "}", deadline);
}

Task<bool> item_exists(Items items, std::string key, Deadline deadline) {
  CO_TRY(Snapshot found, co_await get_item(items, key,
                                           R"(,"ProjectionExpression":"#k",)"
                                           R"("ExpressionAttributeNames":{"#k":"key"}})",
                                           deadline));
  co_return found.value.has_value();
}

Task<std::vector<std::optional<Bytes>>> read_items(Items items, std::vector<std::string> keys,
                                                   Deadline deadline) {
  std::map<std::string, Bytes> found;
  // The API takes each key once.
  std::vector<std::string> unread = keys;
  std::ranges::sort(unread);
  unread.erase(std::ranges::unique(unread).begin(), unread.end());
  Backoff backoff;
  for (;;) {
    auto body = [&] { return read_body(items, unread); };
    CO_TRY(Reply reply, co_await items.client->call("BatchGetItem", Kind::kRead, body, deadline));
    CO_TRY_VOID(take_values(reply.body, found));
    std::size_t before = unread.size();
    CO_TRY(unread, unread_in(reply.body));
    if (unread.empty()) break;
    // Some of them are left because an answer has its bound, which is no reason to wait.
    if (unread.size() < before) continue;
    CO_TRY(bool again, co_await backoff.wait(items.client->loop(), deadline));
    if (!again) co_return std::unexpected(still_busy(unread.size()));
  }
  std::vector<std::optional<Bytes>> values;
  for (const std::string& key : keys) {
    auto value = found.find(key);
    values.push_back(value == found.end() ? std::nullopt : std::optional(value->second));
  }
  co_return values;
}

Task<Page> list_items(Items items, std::optional<std::string> after, Deadline deadline) {
  Page page;
  std::string next;  // Where DynamoDB goes on, as it says itself.
  for (;;) {
    auto body = [&] {
      std::string text = fmt::format(
          R"({{"TableName":"{}","ConsistentRead":true,"Limit":{},"ProjectionExpression":"#k",)"
          R"("KeyConditionExpression":"#b = :b{}","ExpressionAttributeNames":)"
          R"({{"#b":"bucket","#k":"key"}},"ExpressionAttributeValues":{{":b":{{"S":"{}"}})",
          items.client->settings().table, kListPageKeys + 1 - page.keys.size(),
          after ? " AND #k > :k" : "", items.partition);
      if (after) text += fmt::format(R"(,":k":{{"B":"{}"}})", remote::base64(as_bytes(*after)));
      text += '}';
      if (!next.empty()) text += fmt::format(R"(,"ExclusiveStartKey":{})", next);
      return text + '}';
    };
    CO_TRY(Reply reply, co_await items.client->call("Query", Kind::kRead, body, deadline));
    const json::value* list = reply.body.if_contains("Items");
    if (list == nullptr || !list->is_array()) co_return std::unexpected(wrong_answer());
    for (const json::value& each : list->get_array()) {
      if (!each.is_object()) co_return std::unexpected(wrong_answer());
      CO_TRY(std::string key, key_in(each.get_object()));
      page.keys.push_back(std::move(key));
    }
    if (page.keys.size() > kListPageKeys) break;
    const json::object* last = object_in(reply.body, "LastEvaluatedKey");
    if (last == nullptr) co_return page;
    next = json::serialize(*last);
  }
  page.keys.resize(kListPageKeys);
  page.cursor = page.keys.back();
  co_return page;
}

Task<void> write_items(Items items, std::vector<Change> changes, Deadline deadline) {
  if (changes.size() == 1) {
    const Change& change = changes.front();
    auto body = [&] {
      if (!change.value) return about_item(items, change.key) + '}';
      return put_body(items, change.key, *change.value, items.client->new_version()) + '}';
    };
    CO_TRY_VOID(co_await items.client->call(change.value ? "PutItem" : "DeleteItem", Kind::kWrite,
                                            body, deadline));
    co_return Result<void>();
  }
  std::map<std::string, Change> unwritten;
  for (Change& each : changes) {
    std::string key = each.key;
    unwritten.emplace(std::move(key), std::move(each));
  }
  Backoff backoff;
  for (;;) {
    auto body = [&] { return write_body(items, unwritten); };
    CO_TRY(Reply reply,
           co_await items.client->call("BatchWriteItem", Kind::kWrite, body, deadline));
    CO_TRY_VOID(keep_unwritten(reply.body, unwritten));
    if (unwritten.empty()) co_return Result<void>();
    CO_TRY(bool again, co_await backoff.wait(items.client->loop(), deadline));
    if (!again) co_return std::unexpected(still_busy(unwritten.size()));
  }
}

Task<Written> swap_item(Items items, std::string key, Bytes value, Basis basis, Deadline deadline) {
  Written written{.version = items.client->new_version()};
  auto body = [&] {
    std::string text = put_body(items, key, value, written.version);
    text += condition_for(basis);
    if (basis.there && basis.version != 0) {
      text += fmt::format(R"(,"ExpressionAttributeValues":{{":n":{{"N":"{}"}}}})", basis.version);
    }
    return text + R"(,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"})";
  };
  CO_TRY(Reply reply, co_await items.client->call("PutItem", Kind::kConditional, body, deadline));
  if (!reply.refused_by_condition) co_return written;
  // Servers that do not know that they may say what is there are asked.
  if (const json::object* item = object_in(reply.body, "Item")) {
    CO_TRY(written.now, snapshot_in(*item));
  } else if (basis.wants_now || reply.in_doubt) {
    CO_TRY(written.now, co_await read_item(items, key, deadline));
  }
  if (reply.in_doubt) {
    // An attempt whose answer was lost was carried out: nobody else has its version.
    if (written.now.version == written.version) co_return written;
    co_return failure(Errc::kUnavailable,
                      "DynamoDB: the answer to a write was lost, and another write came since; "
                      "whether it was done is not known");
  }
  written.done = false;
  co_return written;
}

}  // namespace weft::keyvalue::dynamodb
