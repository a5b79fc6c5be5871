#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/dynamodb/client.h"

// What is read and written of one bucket, in the operations of DynamoDB's API.
namespace weft::keyvalue::dynamodb {

// An item has 400 KB, with its key and the names of its attributes.
inline constexpr std::size_t kDynamodbValueBytesMax = 396UL << 10;
// What the API takes in one request.
inline constexpr std::size_t kReadInOneMax = 100;
inline constexpr std::size_t kWrittenInOneMax = 25;
// Of values in one request of several writes; a single one may be as large.
inline constexpr std::size_t kWrittenBytesMax = std::size_t{1} << 20;

// The items of one bucket.
struct Items {
  std::shared_ptr<Client> client;  // Shared by all buckets of the loop.
  std::string partition;
};

// Keys are as the table stores them from here on.
struct Change {
  std::string key;
  std::optional<Bytes> value;  // Absent: the item is deleted.
};
// What a swap finds, for its condition.
struct Basis {
  bool there = false;
  std::uint64_t version = 0;  // 0, where it is there: others wrote it.
  bool wants_now = true;      // Whether a swap that is lost says what is there.
};
struct Written {
  bool done = true;
  std::uint64_t version = 0;  // Of what was written,
  Snapshot now = {};          // and what is there where nothing was.
};

Task<Snapshot> read_item(Items items, std::string key, Deadline deadline);
Task<bool> item_exists(Items items, std::string key, Deadline deadline);
// As many values as there are keys, of which there are kReadInOneMax at most. No snapshot.
Task<std::vector<std::optional<Bytes>>> read_items(Items items, std::vector<std::string> keys,
                                                   Deadline deadline);
// The keys behind `after`, which is a cursor as the table would store it.
Task<Page> list_items(Items items, std::optional<std::string> after, Deadline deadline);

// Up to kWrittenInOneMax, each of another key. Several are not written in one step.
Task<void> write_items(Items items, std::vector<Change> changes, Deadline deadline);
// Sets the item if it is still as `basis` says.
Task<Written> swap_item(Items items, std::string key, Bytes value, Basis basis, Deadline deadline);

}  // namespace weft::keyvalue::dynamodb
