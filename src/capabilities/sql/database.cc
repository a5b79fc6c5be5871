#include "capabilities/sql/database.h"

#include <fmt/format.h>

#include <algorithm>

#include "capabilities/sql/forms.h"

namespace weft::sql {

Or<void> check_database(DatabaseName name) {
  if (name.owner.size() <= kDatabaseNameBytesMax && name.name.size() <= kDatabaseNameBytesMax) {
    return {};
  }
  return failed(Failure::limit(fmt::format("a database's name of {} bytes: at most {} are allowed",
                                           std::max(name.owner.size(), name.name.size()),
                                           kDatabaseNameBytesMax)));
}

Or<void> check_statement(Statement& statement) {
  if (statement.text.size() > kStatementBytesMax) {
    return failed(Failure::limit(fmt::format("a statement of {} bytes: at most {} are allowed",
                                             statement.text.size(), kStatementBytesMax)));
  }
  if (statement.text.contains('\0')) {
    return failed(Failure::invalid_sql("a statement has no NUL"));
  }
  if (statement.parameters.size() > kParametersMax) {
    return failed(Failure::limit(fmt::format("{} parameters: at most {} go with a statement",
                                             statement.parameters.size(), kParametersMax)));
  }
  std::size_t bytes = 0;
  for (const Value& value : statement.parameters) bytes += size_of(value);
  if (bytes > kParameterBytesMax) {
    return failed(
        Failure::limit(fmt::format("parameters of {} bytes: at most {} go with a "
                                   "statement",
                                   bytes, kParameterBytesMax)));
  }
  for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
    auto checked = check_parameter(statement.parameters[i]);
    if (checked) continue;
    auto* why = checked.error().as<Failure::InvalidParameter>();
    why->value = fmt::format("parameter {}: {}", i + 1, why->value);
    return checked;
  }
  return {};
}

}  // namespace weft::sql
