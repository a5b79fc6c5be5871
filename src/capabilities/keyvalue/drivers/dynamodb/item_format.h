#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "capabilities/keyvalue/bucket.h"

// How a bucket's entries stand in the table: keys as bytes, and items as DynamoDB's JSON.
namespace weft::keyvalue::dynamodb {

// A key as the table has it, which takes no empty ones: one that is nothing but zero bytes, or
// nothing at all, has one more of them; all others are as they are. That keeps their order, and
// leaves no room for one: kInvalid for kKeyBytesMax zeros.
Result<std::string> stored_key(std::string_view key);
std::string guest_key(std::string_view stored);
// The last stored key that is not behind a cursor, which may be any key.
std::string stored_cursor(std::string_view cursor);

// A bucket's value of the partition key.
std::string partition(std::string_view prefix, BucketName name);

// "bucket":{"S":"..."},"key":{"B":"..."}
void append_key(std::string& out, std::string_view partition, std::string_view stored);
// The key, "value" and "version". The empty value is left out, which all servers take.
void append_item(std::string& out, std::string_view partition, std::string_view stored,
                 BytesView value, std::uint64_t version);

// Out of an item that was read. An item that others wrote may have no version, which is 0 then.
Result<std::string> key_in(const boost::json::object& item);
Result<Snapshot> snapshot_in(const boost::json::object& item);

}  // namespace weft::keyvalue::dynamodb
