// A command that goes through weft:sql with the SDK: what it is told to do by its first argument,
// in the database that its second one names, printed as it comes.
//
//   fill      makes a table with a column of each kind and a row of values
//   show      prints that row
//   run TEXT [PARAMETER...]   one statement with texts for its parameters
//   books     transfers between accounts in transactions, and one that fails half way
//   cursor N  reads N rows by cursor in steps of 1000
//   bench N   reads one row by its key, N times, and prints the nanoseconds that took as JSON
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "weft/sql.h"

namespace sql = weft::sql;

namespace {

std::string show(const sql::Value& value) {
  return std::visit(
      []<class T>(const T& each) -> std::string {
        if constexpr (std::is_same_v<T, sql::Null>) return "null";
        if constexpr (std::is_same_v<T, bool>) return each ? "boolean true" : "boolean false";
        if constexpr (std::is_same_v<T, std::int64_t>) return "integer " + std::to_string(each);
        if constexpr (std::is_same_v<T, double>) return "real " + std::to_string(each);
        if constexpr (std::is_same_v<T, std::string>) return "text " + each;
        if constexpr (std::is_same_v<T, sql::Decimal>) return "decimal " + each.text;
        if constexpr (std::is_same_v<T, sql::Date>) return "date " + each.text;
        if constexpr (std::is_same_v<T, sql::Time>) return "time " + each.text;
        if constexpr (std::is_same_v<T, sql::Timestamp>) return "timestamp " + each.text;
        if constexpr (std::is_same_v<T, sql::Instant>) return "instant " + each.text;
        if constexpr (std::is_same_v<T, sql::Uuid>) return "uuid " + each.text;
        if constexpr (std::is_same_v<T, sql::Json>) return "json " + each.text;
        if constexpr (std::is_same_v<T, sql::Binary>) {
          return "binary of " + std::to_string(each.bytes.size());
        }
        return "";
      },
      value.any());
}

int fail(const sql::Error& error) {
  std::printf("failed (%d): %s\n", static_cast<int>(error.kind), error.message.c_str());
  return 1;
}

int print(const sql::Result<sql::ResultSet>& set) {
  if (!set) return fail(set.error());
  for (const auto& row : set->rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::printf("%s%s = %s", i == 0 ? "" : ", ", set->columns[i].name.c_str(),
                  show(row[i]).c_str());
    }
    std::printf("\n");
  }
  return 0;
}

int fill(sql::Database& database) {
  auto made = database.execute(
      "CREATE TABLE things (i BIGINT PRIMARY KEY, b BOOLEAN, r DOUBLE PRECISION, d DECIMAL(10,2), "
      "t TEXT, y DATE, h TIME, w TIMESTAMP, z TIMESTAMPTZ, u UUID, j JSON, n TEXT)");
  if (!made) return fail(made.error());
  auto put = database.execute(
      "INSERT INTO things VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {1, true, 0.25, sql::Decimal("12.5"), "it's \u2603", sql::Date("2026-11-26"),
       sql::Time("09:30:00"), sql::Timestamp("2026-11-26T09:30:00"),
       sql::Instant("2026-11-26T09:30:00+01:00"), sql::Uuid("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
       sql::Json("{\"a\": [1]}"), sql::Null()});
  if (!put) return fail(put.error());
  std::printf("put %llu\n", static_cast<unsigned long long>(*put));
  return 0;
}

int books(sql::Database& database) {
  for (const char* text :
       {"DROP TABLE IF EXISTS account",
        "CREATE TABLE account (name TEXT PRIMARY KEY, sum BIGINT NOT NULL CHECK (sum >= 0))",
        "INSERT INTO account VALUES ('a', 100), ('b', 0)"}) {
    if (auto done = database.execute(text); !done) return fail(done.error());
  }
  for (std::int64_t sum : {30, 50, 40}) {
    auto done = database.transact([&](sql::Transaction& transaction) -> sql::Result<> {
      for (auto [name, change] : {std::pair("b", sum), std::pair("a", -sum)}) {
        auto changed =
            transaction.execute("UPDATE account SET sum = sum + ? WHERE name = ?", {change, name});
        if (!changed) return std::unexpected(changed.error());
      }
      return {};
    });
    if (done) std::printf("moved %lld\n", static_cast<long long>(sum));
    if (!done) fail(done.error());
  }
  {
    auto dropped = database.begin();
    if (!dropped) return fail(dropped.error());
    auto changed = dropped->execute("DELETE FROM account");
    if (!changed) return fail(changed.error());
  }
  return print(database.query("SELECT name, sum FROM account ORDER BY name"));
}

int cursor(sql::Database& database, const char* count) {
  auto opened = database.open_cursor(
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
      "CAST(? AS INTEGER)) SELECT i FROM c",
      {std::strtoll(count, nullptr, 10)});
  if (!opened) return fail(opened.error());
  long long rows = 0;
  long long sum = 0;
  for (;;) {
    auto some = opened->next(1000);
    if (!some) return fail(some.error());
    if (some->empty()) break;
    rows += static_cast<long long>(some->size());
    for (const auto& row : *some) sum += row[0].integer();
  }
  std::printf("%s: %lld rows, %lld in all\n", opened->columns()[0].name.c_str(), rows, sum);
  return 0;
}

int bench(sql::Database& database, int rounds) {
  constexpr std::int64_t kRows = 1000;
  auto made = database.execute("CREATE TABLE IF NOT EXISTS bench (id BIGINT PRIMARY KEY, v TEXT)");
  if (made) made = database.execute("DELETE FROM bench");
  for (std::int64_t i = 0; i < kRows && made; ++i) {
    made = database.execute("INSERT INTO bench VALUES (?, '0123456789abcdef')", {i});
  }
  if (!made) return fail(made.error());
  std::vector<double> times;
  double sum = 0;
  for (int i = 0; i < rounds; ++i) {
    auto start = std::chrono::steady_clock::now();
    auto found = database.query("SELECT v FROM bench WHERE id = ?", {i % kRows});
    if (!found) return fail(found.error());
    times.push_back(
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    sum += times.back();
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"p50\": %.0f, \"mean\": %.0f}\n", times[times.size() / 2], sum / rounds);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  std::string_view verb = arguments[1];
  auto database = sql::open(arguments[2]);
  if (!database) return fail(database.error());
  if (verb == "fill") return fill(*database);
  if (verb == "show") return print(database->query("SELECT * FROM things"));
  if (verb == "books") return books(*database);
  if (count < 4) return 2;
  if (verb == "cursor") return cursor(*database, arguments[3]);
  if (verb == "bench") return bench(*database, std::max(1, std::atoi(arguments[3])));
  sql::Values parameters;
  for (int i = 4; i < count; ++i) parameters.emplace_back(std::string(arguments[i]));
  return print(database->query(arguments[3], parameters));
}
