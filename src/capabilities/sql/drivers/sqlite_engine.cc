#include "capabilities/sql/drivers/sqlite_engine.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <vector>

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft::sql {
namespace {

// Letters that stay; every other byte becomes three.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

SqliteEngine::SqliteEngine(std::filesystem::path folder, std::size_t files_max)
    : folder_(std::move(folder)), files_max_(files_max) {
  // SQLite keeps this once for the process.
  sqlite3_hard_heap_limit64(kMemoryBytesMax);
}

SqliteEngine::~SqliteEngine() {
  *threads_.stopping = true;
  threads_.watch.stop();
  for (auto& [name, file] : files_) file->stop();
  threads_.pool.stop();
  files_.clear();
}

std::string SqliteEngine::file_name(DatabaseName name) {
  std::string text = fmt::format("{}+{}", escaped(name.owner), escaped(name.name));
  constexpr std::size_t kNameBytesMax = 200;
  if (text.size() > kNameBytesMax) text = "+" + sha256_hex(as_bytes(text));
  return text + ".db";
}

Or<std::shared_ptr<sqlite::File>> SqliteEngine::file(const std::string& name) {
  std::vector<std::shared_ptr<sqlite::File>> unused;  // Closed when the lock is gone.
  std::lock_guard lock(mutex_);
  auto found = files_.find(name);
  if (found != files_.end()) return found->second;
  if (files_.size() >= files_max_) {
    for (auto each = files_.begin(); each != files_.end();) {
      if (each->second.use_count() > 1) {
        ++each;
        continue;
      }
      unused.push_back(std::move(each->second));
      each = files_.erase(each);
    }
  }
  if (files_.size() >= files_max_) {
    return failed(
        Failure::limit(fmt::format("{} databases are open: no more at once", files_max_)));
  }
  auto file = std::make_shared<sqlite::File>(folder_ / name, threads_);
  files_.emplace(name, file);
  return file;
}

void SqliteEngine::open(DatabaseName name, const SqliteOptions& options, Found found) {
  auto shared = std::make_shared<Found>(std::move(found));
  auto submitted = threads_.pool.submit([this, name = file_name(name), options, shared] {
    auto file = this->file(name);
    if (!file) return (*shared)(std::move(file));
    (*file)->set_options(options);
    auto opened = (*file)->open();
    if (!opened) return (*shared)(failed(std::move(opened).error()));
    (*shared)(std::move(file));
  });
  if (!submitted) (*shared)(failed(failure_of(submitted.error())));
}

}  // namespace weft::sql
