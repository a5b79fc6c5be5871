#pragma once

#include <lmdb.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/signal.h"

namespace weft::keyvalue::lmdb {

// Size of the map at first: address space and length of a file with holes, not memory and not disk.
// It doubles when it is full, up to the option's bound.
inline constexpr std::size_t kMapBytesAtFirst = 16 << 20;
inline constexpr std::size_t kMapBytesMax = std::size_t{1} << 40;
// Slots in LMDB's reader table: one for each loop's Reader.
inline constexpr unsigned kReadersMax = 1024;

// kNever is for the test that shows what a test of durability must catch.
enum class Flush : std::uint8_t { kEachCommit, kNever };

struct EnvironmentOptions {
  std::size_t map_bytes_at_first = kMapBytesAtFirst;
  std::size_t map_bytes_max = kMapBytesMax;
  Flush flush = Flush::kEachCommit;
};

// "<doing>: <what LMDB says>" with our code for LMDB's or the system's.
Error lmdb_error(std::string_view doing, int code);

class Environment;

// A loop's view of the file: one LMDB read transaction, renewed for each read. Used on one thread.
class Reader {
 public:
  explicit Reader(Environment& environment);
  Reader(const Reader&) = delete;
  ~Reader();

  // Runs `read(MDB_txn*)` on the newest committed state and answers what it answers, a Result. What
  // it read is borrowed from the map and gone when `read` returns.
  template <class Read>
  auto run(Read&& read) -> decltype(read(static_cast<MDB_txn*>(nullptr))) {
    std::lock_guard hold(growing_);
    MappedRead in_use(path());
    if (int code = begin(); code != 0) return std::unexpected(lmdb_error("reading", code));
    auto answer = read(transaction_);
    mdb_txn_reset(transaction_);
    if (!answer) note(answer.error());
    return answer;
  }

 private:
  friend class Environment;
  int begin();
  const char* path() const;
  void note(const Error& error);

  Environment& environment_;
  // Held while the map is in use: it may not move then. Nobody else asks for it but growth.
  std::mutex growing_;
  MDB_txn* transaction_ = nullptr;
};

// One open LMDB file with its two tables.
//
// Reads from any number of Readers; writes from one thread at a time. Needs to be the only opener
// of the file, which a locked state folder sees to. Outlives its Readers.
class Environment {
 public:
  // Opens the file in `folder`, which is made whole in one step when it is not there.
  static Result<std::unique_ptr<Environment>> open(const std::filesystem::path& folder,
                                                   EnvironmentOptions options);
  Environment(const Environment&) = delete;
  ~Environment();

  MDB_env* get() const { return environment_; }
  MDB_dbi entries() const { return entries_; }
  MDB_dbi buckets() const { return buckets_; }
  std::size_t map_bytes() const { return map_bytes_; }
  // The file's, for a MappedRead.
  const char* path() const { return path_.c_str(); }

  // Tells the operator of the first kCorrupt that a read or a write met. From any thread.
  void note(const Error& error);

  // Doubles the map, waiting for reads that run. Called with no write transaction open. Fails with
  // kFull at the bound, or where the address space ends.
  Result<void> grow();

 private:
  friend class Reader;
  explicit Environment(EnvironmentOptions options) : options_(options) {}
  std::size_t map_bytes_for(std::size_t file_bytes) const;
  Result<void> create(const std::filesystem::path& folder);
  Result<void> start(const std::filesystem::path& file, unsigned flags);
  Result<void> open_tables(const std::filesystem::path& file, unsigned flags);
  Result<void> check_length(const std::filesystem::path& file);
  Result<void> extend(std::size_t bytes);
  void close();

  EnvironmentOptions options_;
  std::string path_;
  std::atomic<bool> damage_told_ = false;
  std::size_t map_bytes_ = 0;
  MDB_env* environment_ = nullptr;
  MDB_dbi entries_ = 0;
  MDB_dbi buckets_ = 0;
  std::mutex readers_mutex_;
  std::vector<Reader*> readers_;
};

}  // namespace weft::keyvalue::lmdb
