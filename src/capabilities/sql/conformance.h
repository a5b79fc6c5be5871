#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capabilities/sql/backend.h"
#include "capabilities/sql/testing.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::sql {

// What the list of drivers in drivers_test.cc says of each: a backend with nothing in it.
struct Driver {
  std::string name;
  // `unique` tells a test's databases from those of the others, where all are in one server.
  std::function<std::unique_ptr<Backend>(StateFolderOnDemand&, Times, const std::string& unique)>
      make;
  // What a table's column of bytes is declared as, the one type that has no name in common
  // between SQLite and PostgreSQL.
  std::string_view binary = "BYTEA";
  // What the other types of the suite are called where it is not the same.
  std::vector<std::pair<std::string_view, std::string_view>> types = {};
  std::string_view text_in_cast = "TEXT";

  std::string_view type(std::string_view wanted) const;
};

// "name|name / cell|cell / cell|cell", or "! failure": what a statement answered, as text.
std::string show(const Or<Outcome>& outcome);
std::string show(const Value& value);

// The driver's object out of an outcome that has to be one.
template <class T>
T must(Or<T> outcome) {
  if (!outcome) ADD_FAILURE() << to_text(outcome.error());
  CHECK(outcome.has_value());
  if constexpr (!std::is_void_v<T>) return *std::move(outcome);
}

// Holds every driver to what database.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Conformance() {
    static int tests = 0;
    unique_ = "t" + std::to_string(++tests);
    start({});
  }

  // Anew, with other times, on the same databases.
  void start(Times times);

  Request request() { return {loop_, Deadline::after(std::chrono::seconds(60))}; }
  std::unique_ptr<Database> open(std::string_view name = "", std::string_view owner = "app") {
    return must(wait(store_->open(request(), {owner, name})));
  }
  template <class T>
  Or<T> wait(Answer<Or<T>> answer) {
    return await(loop_, std::move(answer));
  }

  // A query's rows or a failure, as text.
  std::string query(Runner& runner, std::string text, std::vector<Value> parameters = {});
  // The number of rows that changed or a failure, as text.
  std::string execute(Runner& runner, std::string text, std::vector<Value> parameters = {});
  // Of a statement that has to fail.
  Failure failure_of(Runner& runner, std::string text, std::vector<Value> parameters = {});
  std::unique_ptr<Transaction> begin(Database& database,
                                     Isolation isolation = Isolation::kSerializable,
                                     Access access = Access::kReadWrite) {
    return must(wait(database.begin(request(), {isolation, access})));
  }
  // A table t (id, n), with so many rows, n being 0.
  std::unique_ptr<Database> with_table(int rows);

  Loop loop_;  // Outlives the backend, whose answers are posted to it.
  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::string unique_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
};

// The parts of the suite that are files of their own.
class Values : public Conformance {
 protected:
  // What comes back from a column of the type when `in` was put there.
  std::string through(std::string_view type, Value in);

  std::unique_ptr<Database> database_ = open();
  int tables_ = 0;
};
class Transactions : public Conformance {};

}  // namespace weft::sql
