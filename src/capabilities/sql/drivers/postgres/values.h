#pragma once

#include <libpq-fe.h>

#include <span>
#include <string>
#include <vector>

#include "capabilities/sql/value.h"

// Values as PostgreSQL takes and gives them: as text, but for bytes that go in.
namespace weft::sql::postgres {

// What PQsendQueryParams wants, for values that outlive it.
class Parameters {
 public:
  explicit Parameters(std::span<const Value> values);
  Parameters(const Parameters&) = delete;

  int count() const { return static_cast<int>(types_.size()); }
  const Oid* types() const { return types_.data(); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }
  // The text with the types: what it takes to prepare it once.
  std::string key(const std::string& text) const;

 private:
  void add(const Value& value);
  void add_text(Oid type, const std::string& text);
  // Of text that is made here.
  void add_own(Oid type, std::string text);

  std::vector<std::string> own_;  // Reserved for all of them: no text moves.
  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

std::vector<Column> columns_of(const PGresult* result);
// One row of a result, and adds to `bytes` what it weighs.
Row row_of(const PGresult* result, int row, std::size_t& bytes);

// The failure that a result stands for.
Failure failure_of(const PGresult* result);

}  // namespace weft::sql::postgres
