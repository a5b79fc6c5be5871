#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "door/answer.h"

namespace weft {
class Loop;
}  // namespace weft

// What a key-value driver implements. The README says what each operation promises; the conformance
// suite holds every driver to it.
namespace weft::keyvalue {

// Bounds that hold for every driver, so that an app that runs on one runs on another.
inline constexpr std::size_t kBucketNameBytesMax = 250;
inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::size_t kValueBytesMax = 64 << 20;
// Keys in one get_many, set_many or delete_many, and bytes of keys and values in it or its answer.
inline constexpr std::size_t kBatchKeysMax = 65'536;
inline constexpr std::size_t kBatchBytesMax = 128 << 20;
inline constexpr std::size_t kListPageKeys = 1000;

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

struct BucketName {
  std::string_view owner;  // whose bucket: buckets of two owners never meet
  std::string_view name;   // what the guest calls it; the empty name is the default bucket
};

// A value as it was at one moment. `version` differs between any two values that one key ever had,
// as long as it was not deleted in between; it is 0 where there is no value.
struct Snapshot {
  std::optional<Bytes> value;
  std::uint64_t version = 0;
};

struct Page {
  std::vector<std::string> keys;
  std::optional<std::string> cursor;  // absent: that was the last page
};

using Pair = std::tuple<std::string_view, BytesView>;

// One named set of keys, opened on one loop and used there only.
//
// Parameters are borrowed until the method returns. A write is answered when it is durable, and
// every get that starts after that sees it, on any loop; writes of one loop are made in their
// order. A write whose deadline passes before it is begun fails with Errc::kTimeout and changes
// nothing. Too many writes that wait fail with Errc::kLimit, and no room with Errc::kFull; neither
// leaves half a write.
class Bucket {
 public:
  virtual ~Bucket() = default;

  // The value, or nullopt when the key is absent.
  virtual Answer<std::optional<Bytes>> get(Request request, std::string_view key) = 0;
  virtual Answer<void> set(Request request, std::string_view key, BytesView value) = 0;
  // Deleting an absent key is no error.
  virtual Answer<void> erase(Request request, std::string_view key) = 0;
  virtual Answer<bool> exists(Request request, std::string_view key) = 0;
  // The keys after `cursor`, in the driver's order, at most kListPageKeys of them. A key that is
  // there from the first page to the last is listed once, whatever is written meanwhile.
  virtual Answer<Page> list(Request request, std::optional<std::string_view> cursor) = 0;

  // Adds to a counter, which starts from 0 when the key is absent, and answers the sum. The counter
  // is kept as decimal text. A value that is no such number, and a sum that does not fit, is
  // Errc::kInvalid.
  virtual Answer<std::int64_t> increment(Request request, std::string_view key,
                                         std::int64_t delta) = 0;
  virtual Answer<Snapshot> snapshot(Request request, std::string_view key) = 0;
  // Sets the key when it is still as `basis` says; answers nullopt then, and otherwise what is
  // there now.
  virtual Answer<std::optional<Snapshot>> swap(Request request, std::string_view key,
                                               const Snapshot& basis, BytesView value) = 0;

  // One entry for each requested key, in the order of the request.
  virtual Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) = 0;
  // Of pairs with one key the last one stays.
  virtual Answer<void> set_many(Request request, const std::vector<Pair>& pairs) = 0;
  virtual Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) = 0;
};

// The buckets of one backend, as one loop reaches them.
class Store {
 public:
  virtual ~Store() = default;
  // The bucket, which exists as soon as something is written to it. It holds what it needs of the
  // store, and may outlive it.
  virtual Answer<std::unique_ptr<Bucket>> open(Request request, BucketName name) = 0;
};

// The checks that come before every driver's work: each fails with kInvalid and says the bound.
Result<void> check_bucket(BucketName name);
Result<void> check_key(std::string_view key);
Result<void> check_value(BytesView value);
Result<void> check_batch(const std::vector<std::string_view>& keys);
Result<void> check_batch(const std::vector<Pair>& pairs);
// What a get_many says whose answer is beyond kBatchBytesMax.
Error answer_too_large();

// A counter's value as text, and back.
Result<std::int64_t> read_counter(BytesView value);
Bytes write_counter(std::int64_t value);
// The sum, or kInvalid when it does not fit.
Result<std::int64_t> add_counter(std::int64_t value, std::int64_t delta);

}  // namespace weft::keyvalue
