#include "capabilities/sql/backend.h"

#include "capabilities/sql/drivers/sqlite.h"

namespace weft::sql {
namespace {

class SqliteBackend final : public Backend {
 public:
  SqliteBackend(Sqlite& sqlite, SqliteOptions options) : sqlite_(sqlite), options_(options) {}

  Result<void> open() override {
    TRY(engine_, sqlite_.engine());
    return {};
  }
  std::unique_ptr<Store> store(Loop&) override { return sqlite_store(engine_, options_); }

 private:
  Sqlite& sqlite_;
  SqliteOptions options_;
  std::shared_ptr<SqliteEngine> engine_;  // Shared with the stores.
};

}  // namespace

Sqlite::~Sqlite() = default;

std::unique_ptr<Backend> Sqlite::backend(SqliteOptions options) {
  return std::make_unique<SqliteBackend>(*this, options);
}

Result<std::shared_ptr<SqliteEngine>> Sqlite::engine() {
  if (engine_ == nullptr) {
    TRY(auto folder, state_.subfolder("sql"));
    engine_ = std::make_shared<SqliteEngine>(std::move(folder));
  }
  return engine_;
}

}  // namespace weft::sql
