#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "capabilities/sql/backend.h"
#include "capabilities/sql/drivers/sqlite_file.h"
#include "capabilities/sql/drivers/sqlite_threads.h"

namespace weft::sql {

// The databases of a process that SQLite keeps: their files and threads.
//
// Shared by the stores and databases of all loops; the last of them, on any thread but its own,
// waits for what still runs and closes the files. The loops outlive it.
class SqliteEngine {
 public:
  // Files that are open at once. Those that nobody has open are closed to make room.
  static constexpr std::size_t kFilesMax = 256;
  using Found = std::move_only_function<void(Or<std::shared_ptr<sqlite::File>>)>;

  // What SQLite may have in memory, for all of them: a statement that wants more is `limit`.
  static constexpr std::int64_t kMemoryBytesMax = std::int64_t{512} << 20;

  // `folder` is there, and this process's alone.
  explicit SqliteEngine(std::filesystem::path folder, std::size_t files_max = kFilesMax);
  SqliteEngine(const SqliteEngine&) = delete;
  ~SqliteEngine();

  // Opens the file of a database, or makes it; `found` is called once, mostly on another thread.
  void open(DatabaseName name, const SqliteOptions& options, Found found);

  sqlite::Threads& threads() { return threads_; }

  // What the file of a database is called: different for any two, and safe as a file's name.
  static std::string file_name(DatabaseName name);

 private:
  Or<std::shared_ptr<sqlite::File>> file(const std::string& name);

  const std::filesystem::path folder_;
  const std::size_t files_max_;
  // Before the files: work that waits in the pool may hold the last of one.
  sqlite::Threads threads_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<sqlite::File>> files_;
};

}  // namespace weft::sql
