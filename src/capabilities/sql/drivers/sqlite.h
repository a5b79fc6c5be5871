#pragma once

#include <memory>

#include "capabilities/sql/drivers/sqlite_engine.h"

namespace weft::sql {

// The databases of an engine, as one loop reaches them.
std::unique_ptr<Store> sqlite_store(std::shared_ptr<SqliteEngine> engine, SqliteOptions options);

}  // namespace weft::sql
