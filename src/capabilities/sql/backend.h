#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"
#include "capabilities/driver_backend.h"
#include "capabilities/sql/database.h"
#include "capabilities/state_folder.h"

namespace weft::sql {

class SqliteEngine;

// Where databases are kept: one backend for the process, a store of it for each loop.
class Backend : public DriverBackend {
 public:
  // On any loop's thread, when it is open. Does not block.
  virtual std::unique_ptr<Store> store(Loop& loop) = 0;
};

struct SqliteOptions {
  // Of one database's file; beyond it a statement is `limit`.
  std::uint64_t size_max = std::uint64_t{64} << 30;
  Times times = {};
};

// The embedded driver, once for the process: however many backends with options of their own it
// gives out, a file has one writer. On the thread that loads components.
class Sqlite {
 public:
  // In the folder `sql` of the state folder, which outlives it.
  explicit Sqlite(StateFolderOnDemand& state) : state_(state) {}
  Sqlite(const Sqlite&) = delete;
  ~Sqlite();

  // Goes before the object does.
  std::unique_ptr<Backend> backend(SqliteOptions options = {});
  Result<std::shared_ptr<SqliteEngine>> engine();

 private:
  StateFolderOnDemand& state_;
  std::shared_ptr<SqliteEngine> engine_;  // Shared with the loops' stores and what they opened.
};

}  // namespace weft::sql
