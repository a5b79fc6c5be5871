#include "capabilities/keyvalue/drivers/dynamodb/item_format.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "capabilities/keyvalue/drivers/dynamodb/client.h"
#include "remote/aws/sigv4.h"
#include "remote/base64.h"

namespace weft::keyvalue::dynamodb {
namespace {

namespace json = boost::json;

bool all_zeros(std::string_view text) {
  return text.find_first_not_of('\0') == std::string_view::npos;
}

Error foreign(std::string_view what) {
  return {Errc::kCorrupt,
          fmt::format("DynamoDB: an item that another program wrote: its attribute {}", what)};
}

// The text of an attribute of the type that is wanted; null where there is no such attribute.
Result<const json::string*> attribute(const json::object& item, std::string_view name,
                                      std::string_view type) {
  const json::value* found = item.if_contains(name);
  if (found == nullptr) return nullptr;
  const json::object* typed = found->if_object();
  const json::value* value = typed == nullptr ? nullptr : typed->if_contains(type);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  if (text != nullptr) return text;
  return std::unexpected(foreign(fmt::format("`{}` is not of the type {}", name, type)));
}

}  // namespace

Result<std::string> stored_key(std::string_view key) {
  std::string stored(key);
  if (!all_zeros(key)) return stored;
  if (key.size() == kKeyBytesMax) {
    return failure(Errc::kInvalid, fmt::format("a key of {} zero bytes: DynamoDB takes one of {}",
                                               kKeyBytesMax, kKeyBytesMax - 1));
  }
  return stored + '\0';
}

std::string guest_key(std::string_view stored) {
  return std::string(all_zeros(stored) && !stored.empty() ? stored.substr(1) : stored);
}

std::string stored_cursor(std::string_view cursor) {
  std::string stored(cursor);
  if (all_zeros(cursor) && cursor.size() < kKeyBytesMax) stored += '\0';
  return stored;
}

std::string partition(std::string_view prefix, BucketName name) {
  return fmt::format("{}/{}/{}", prefix, remote::aws::encoded(name.owner),
                     remote::aws::encoded(name.name));
}

void append_key(std::string& out, std::string_view partition, std::string_view stored) {
  out +=
      fmt::format(R"("{}":{{"S":"{}"}},"{}":{{"B":")", kBucketAttribute, partition, kKeyAttribute);
  remote::append_base64(out, as_bytes(stored));
  out += R"("})";
}

void append_item(std::string& out, std::string_view partition, std::string_view stored,
                 BytesView value, std::uint64_t version) {
  append_key(out, partition, stored);
  if (!value.empty()) {
    out += R"(,"value":{"B":")";
    remote::append_base64(out, value);
    out += R"("})";
  }
  out += fmt::format(R"(,"version":{{"N":"{}"}})", version);
}

Result<std::string> key_in(const json::object& item) {
  TRY(const json::string* text, attribute(item, kKeyAttribute, "B"));
  if (text == nullptr) return std::unexpected(wrong_answer());
  TRY(Bytes stored, remote::from_base64(*text));
  return guest_key(as_text(stored));
}

Result<Snapshot> snapshot_in(const json::object& item) {
  Snapshot snapshot;
  snapshot.value.emplace();
  TRY(const json::string* value, attribute(item, "value", "B"));
  if (value != nullptr) {
    TRY(snapshot.value, remote::from_base64(*value));
  }
  TRY(const json::string* version, attribute(item, "version", "N"));
  if (version == nullptr) return snapshot;
  auto end = version->data() + version->size();
  auto read = std::from_chars(version->data(), end, snapshot.version);
  if (read.ec == std::errc() && read.ptr == end && snapshot.version != 0) return snapshot;
  return std::unexpected(foreign("`version` is no number from 1 to 2^64 - 1"));
}

}  // namespace weft::keyvalue::dynamodb
