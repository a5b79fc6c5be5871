#pragma once

#include <lmdb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "capabilities/keyvalue/drivers/lmdb_environment.h"
#include "capabilities/keyvalue/drivers/lmdb_format.h"

namespace weft::keyvalue::lmdb {

// What both kinds of transaction can ask. Views that come back are borrowed from the map: until the
// transaction ends, or until its next write.
Result<std::optional<std::uint32_t>> find_bucket(Environment& environment, MDB_txn* transaction,
                                                 std::string_view entry);
Result<std::optional<Record>> find_entry(Environment& environment, MDB_txn* transaction,
                                         std::uint32_t bucket, std::string_view key);
// One page of the bucket's keys after `after`.
Result<Page> list_keys(Environment& environment, MDB_txn* transaction, std::uint32_t bucket,
                       std::optional<std::string_view> after);

// The open write transaction, as the writes of one group see it. On the commit thread.
//
// A failure of the file is kept in `code()` and ends the group; what the methods answer after that
// is of no use.
class Transaction {
 public:
  Transaction(Environment& environment, MDB_txn* transaction)
      : environment_(environment), transaction_(transaction) {}

  // 0, or the first code of LMDB's that was no ordinary outcome.
  int code() const { return code_; }

  // The number of the bucket; the second makes the bucket when it is not there.
  std::optional<std::uint32_t> bucket(std::string_view entry);
  std::uint32_t make_bucket(std::string_view entry);

  Result<std::optional<Record>> find(std::uint32_t bucket, std::string_view key);
  void put(std::uint32_t bucket, std::string_view key, BytesView value);
  void erase(std::uint32_t bucket, std::string_view key);

 private:
  std::uint64_t next_version();
  void note(int code) {
    if (code_ == 0) code_ = code;
  }

  Environment& environment_;
  MDB_txn* transaction_;
  int code_ = 0;
  std::uint32_t puts_ = 0;
};

}  // namespace weft::keyvalue::lmdb
