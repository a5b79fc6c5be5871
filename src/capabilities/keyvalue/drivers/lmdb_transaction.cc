#include "capabilities/keyvalue/drivers/lmdb_transaction.h"

#include <fmt/core.h>

#include <cstring>
#include <memory>

#include "base/check.h"

namespace weft::keyvalue::lmdb {
namespace {

// Puts in one transaction are told apart by so many bits of a version; the rest is the
// transaction's number, which LMDB keeps in the file and never uses twice.
constexpr unsigned kVersionPutBits = 20;
constexpr std::size_t kListPageBytes = 1 << 20;

MDB_val value_of(BytesView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}
BytesView bytes_of(const MDB_val& value) {
  return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};

}  // namespace

Result<std::optional<std::uint32_t>> find_bucket(Environment& environment, MDB_txn* transaction,
                                                 std::string_view entry) {
  MDB_val key = value_of(as_bytes(entry));
  MDB_val value{};
  int code = mdb_get(transaction, environment.buckets(), &key, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) return std::unexpected(lmdb_error("reading", code));
  std::uint32_t number = 0;
  if (value.mv_size != sizeof number) return std::unexpected(lmdb_error("reading", MDB_CORRUPTED));
  std::memcpy(&number, value.mv_data, sizeof number);
  return number;
}

Result<std::optional<Record>> find_entry(Environment& environment, MDB_txn* transaction,
                                         std::uint32_t bucket, std::string_view key) {
  StoredKey stored(bucket, key);
  MDB_val name = value_of(stored.view());
  MDB_val value{};
  int code = mdb_get(transaction, environment.entries(), &name, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) return std::unexpected(lmdb_error("reading", code));
  TRY(auto record, read_record(stored.view(), bytes_of(value)));
  return record;
}

Result<Page> list_keys(Environment& environment, MDB_txn* transaction, std::uint32_t bucket,
                       std::optional<std::string_view> after) {
  MDB_cursor* opened = nullptr;
  if (int code = mdb_cursor_open(transaction, environment.entries(), &opened); code != 0) {
    return std::unexpected(lmdb_error("reading", code));
  }
  std::unique_ptr<MDB_cursor, CloseCursor> cursor(opened);

  StoredKey start(bucket, after.value_or(""));
  BytesView bucket_prefix = start.view().first(kBucketBytes);
  MDB_val name = value_of(start.view());
  MDB_val value{};
  Page page;
  std::size_t bytes = 0;
  int code = mdb_cursor_get(cursor.get(), &name, &value, MDB_SET_RANGE);
  for (; code == 0; code = mdb_cursor_get(cursor.get(), &name, &value, MDB_NEXT)) {
    BytesView stored = bytes_of(name);
    if (stored.size() < kBucketBytes ||
        !std::ranges::equal(stored.first(kBucketBytes), bucket_prefix)) {
      return page;
    }
    if (after && std::ranges::equal(stored, start.view())) continue;
    if (page.keys.size() == kListPageKeys || bytes >= kListPageBytes) {
      page.cursor = page.keys.back();
      return page;
    }
    TRY(auto record, read_record(stored, bytes_of(value)));
    auto key = entry_key(stored, record);
    bytes += key.size();
    page.keys.emplace_back(key);
  }
  if (code != MDB_NOTFOUND) return std::unexpected(lmdb_error("reading", code));
  return page;
}

std::optional<std::uint32_t> Transaction::bucket(std::string_view entry) {
  auto found = find_bucket(environment_, transaction_, entry);
  if (found) return *found;
  note(MDB_CORRUPTED);
  return std::nullopt;
}

std::uint32_t Transaction::make_bucket(std::string_view entry) {
  if (auto found = bucket(entry)) return *found;
  // Buckets are never removed, so their count is the next free number.
  MDB_stat stat{};
  note(mdb_stat(transaction_, environment_.buckets(), &stat));
  auto number = static_cast<std::uint32_t>(stat.ms_entries);
  MDB_val key = value_of(as_bytes(entry));
  MDB_val value{sizeof number, &number};
  note(mdb_put(transaction_, environment_.buckets(), &key, &value, MDB_NOOVERWRITE));
  return number;
}

Result<std::optional<Record>> Transaction::find(std::uint32_t bucket, std::string_view key) {
  auto found = find_entry(environment_, transaction_, bucket, key);
  if (!found) environment_.note(found.error());
  return found;
}

void Transaction::put(std::uint32_t bucket, std::string_view key, BytesView value) {
  StoredKey stored(bucket, key);
  MDB_val name = value_of(stored.view());
  MDB_val room{record_bytes(key, value), nullptr};
  int code = mdb_put(transaction_, environment_.entries(), &name, &room, MDB_RESERVE);
  if (code == 0) {
    write_record(static_cast<std::uint8_t*>(room.mv_data), next_version(), key, value);
  }
  note(code);
}

void Transaction::erase(std::uint32_t bucket, std::string_view key) {
  StoredKey stored(bucket, key);
  MDB_val name = value_of(stored.view());
  int code = mdb_del(transaction_, environment_.entries(), &name, nullptr);
  if (code != MDB_NOTFOUND) note(code);
}

std::uint64_t Transaction::next_version() {
  CHECK(puts_ < (1u << kVersionPutBits));
  return (static_cast<std::uint64_t>(mdb_txn_id(transaction_)) << kVersionPutBits) | puts_++;
}

}  // namespace weft::keyvalue::lmdb
