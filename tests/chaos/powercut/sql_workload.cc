#include "sql_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <vector>

#include "capabilities/sql/backend.h"
#include "capabilities/sql/testing.h"
#include "capabilities/state_folder.h"
#include "io/loop.h"

namespace weft::powercut {
namespace {

using sql::await;
using sql::Or;
using sql::Value;

// A database in the state folder, and a loop to wait on.
class Place {
 public:
  explicit Place(const std::filesystem::path& folder) : state_(folder) {}

  Result<void> open() {
    TRY_VOID(backend_->open());
    store_ = backend_->store(loop_);
    return keep(await(loop_, store_->open(request(), {"app", "powercut"})), database_);
  }
  Result<sql::Outcome> run(sql::Runner& runner, std::string text, std::vector<Value> parameters) {
    sql::Outcome outcome;
    TRY_VOID(keep(await(loop_, runner.run(request(), {std::move(text), std::move(parameters)},
                                          sql::Wanted::kRows)),
                  outcome));
    return outcome;
  }
  Result<void> do_one(const Operation& operation);
  // The table, made where it is not there yet.
  Result<void> make_table() {
    TRY_VOID(run(*database_, "CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v TEXT)", {}));
    return {};
  }
  Result<std::map<std::string, std::string>> all();

 private:
  sql::Request request() { return {loop_, Deadline::never()}; }

  template <class T>
  static Result<void> keep(Or<T> outcome, T& place) {
    if (!outcome) return failure(Errc::kInternal, sql::to_text(outcome.error()));
    place = *std::move(outcome);
    return {};
  }

  Loop loop_;
  StateFolderOnDemand state_;
  sql::Sqlite sqlite_{state_};
  std::unique_ptr<sql::Backend> backend_ = sqlite_.backend();
  std::unique_ptr<sql::Store> store_;
  std::unique_ptr<sql::Database> database_;
};

constexpr std::string_view kSet =
    "INSERT INTO kv VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v";

Result<void> Place::do_one(const Operation& operation) {
  std::vector<Value> row = {Value::text(operation.key), Value::text(operation.value)};
  switch (operation.kind) {
    case Operation::Kind::kSet: {
      TRY_VOID(run(*database_, std::string(kSet), row));
      return {};
    }
    case Operation::Kind::kErase: {
      TRY_VOID(run(*database_, "DELETE FROM kv WHERE k = ?", {row[0]}));
      return {};
    }
    case Operation::Kind::kPair: break;
  }
  std::unique_ptr<sql::Transaction> transaction;
  TRY_VOID(keep(await(loop_, database_->begin(request(), {})), transaction));
  TRY_VOID(run(*transaction, std::string(kSet), row));
  row[0] = Value::text(operation.key + "/twin");
  TRY_VOID(run(*transaction, std::string(kSet), row));
  auto done = await(loop_, transaction->commit(request()));
  if (!done) return failure(Errc::kInternal, sql::to_text(done.error()));
  return {};
}

Result<std::map<std::string, std::string>> Place::all() {
  std::map<std::string, std::string> rows;
  TRY(auto table, run(*database_, "SELECT count(*) FROM sqlite_schema WHERE name = 'kv'", {}));
  if (table.set.rows.at(0).at(0) == Value::integer(0)) return rows;
  TRY(auto outcome, run(*database_, "SELECT k, v FROM kv", {}));
  for (auto& row : outcome.set.rows) {
    rows[row.at(0).as<Value::Text>()->value] = row.at(1).as<Value::Text>()->value;
  }
  return rows;
}

// The last operation on a key that was acknowledged, or one that came after it, is what is there.
Result<void> check_one(const std::map<std::string, std::string>& rows, std::uint64_t seed,
                       const std::string& key, const std::vector<std::uint64_t>& operations,
                       const std::function<bool(std::uint64_t)>& acknowledged) {
  std::int64_t last = -1;
  for (auto n : operations) last = acknowledged(n) ? static_cast<std::int64_t>(n) : last;
  auto found = rows.find(key);
  for (auto n : operations) {
    if (static_cast<std::int64_t>(n) < last) continue;
    auto done = operation(seed, n);
    bool erased = done.kind == Operation::Kind::kErase;
    if (erased ? found == rows.end() : found != rows.end() && found->second == done.value) {
      return {};
    }
  }
  if (last < 0 && found == rows.end()) return {};
  return failure(Errc::kNotFound,
                 fmt::format("{} holds {:.40}, and operation {} was acknowledged", key,
                             found == rows.end() ? "nothing" : found->second, last));
}

}  // namespace

Result<void> run_sql_workload(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                              const std::function<void(std::uint64_t)>& acknowledged) {
  Place place(folder);
  TRY_VOID(place.open());
  TRY_VOID(place.make_table());
  for (std::uint64_t n = range.first; n < range.first + range.count; ++n) {
    TRY_VOID(place.do_one(operation(seed, n)));
    acknowledged(n);
  }
  return {};
}

Result<void> check_sql_workload(const std::filesystem::path& folder, std::uint64_t seed,
                                std::uint64_t end,
                                const std::function<bool(std::uint64_t)>& acknowledged) {
  Place place(folder);
  TRY_VOID(place.open());
  TRY(auto rows, place.all());
  std::map<std::string, std::vector<std::uint64_t>> operations;
  for (std::uint64_t n = 0; n < end; ++n) operations[operation(seed, n).key].push_back(n);
  for (const auto& [key, numbers] : operations) {
    TRY_VOID(check_one(rows, seed, key, numbers, acknowledged));
    if (key.starts_with("pair") && rows[key] != rows[key + "/twin"]) {
      return failure(Errc::kCorrupt, fmt::format("{} and its twin, written together, differ", key));
    }
  }
  return {};
}

}  // namespace weft::powercut
