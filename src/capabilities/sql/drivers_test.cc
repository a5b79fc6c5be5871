// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/sql/conformance.h"
#include "capabilities/sql/drivers/postgres/postgres.h"
#include "capabilities/sql/drivers/postgres/server.h"

namespace weft::sql {
namespace {

// The embedded driver with what it is of.
class TestSqlite final : public Backend {
 public:
  TestSqlite(StateFolderOnDemand& state, Times times)
      : sqlite_(state), backend_(sqlite_.backend({.times = times})) {}
  Result<void> open() override { return backend_->open(); }
  std::unique_ptr<Store> store(Loop& loop) override { return backend_->store(loop); }

 private:
  Sqlite sqlite_;
  std::unique_ptr<Backend> backend_;
};

std::unique_ptr<Backend> make_sqlite(StateFolderOnDemand& state, Times times, const std::string&) {
  return std::make_unique<TestSqlite>(state, times);
}

std::unique_ptr<Backend> make_postgres(StateFolderOnDemand&, Times times,
                                       const std::string& unique) {
  return postgres::postgres_backend({.url = Secret(postgres::shared_postgres().url()),
                                     .schema = unique + "/{app}/{name}",
                                     .options = {.times = times}});
}

// PostgreSQL where it is installed: `make test` sees to that.
std::vector<Driver> drivers() {
  std::vector<Driver> all = {{"sqlite", make_sqlite}};
  if (postgres::PostgresServer::available()) all.push_back({"postgres", make_postgres});
  return all;
}

const auto kDrivers = ::testing::ValuesIn(drivers());

std::string name_of(const ::testing::TestParamInfo<Driver>& driver) {
  return driver.param.name;
}

INSTANTIATE_TEST_SUITE_P(sql, Conformance, kDrivers, name_of);
INSTANTIATE_TEST_SUITE_P(sql, Values, kDrivers, name_of);
INSTANTIATE_TEST_SUITE_P(sql, Transactions, kDrivers, name_of);

}  // namespace
}  // namespace weft::sql
