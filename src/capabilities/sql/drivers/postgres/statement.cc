#include "capabilities/sql/drivers/postgres/statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "capabilities/sql/drivers/postgres/placeholders.h"

namespace weft::sql::postgres {
namespace {

constexpr std::array<std::string_view, 8> kTransactionWords = {
    "ABORT", "BEGIN", "COMMIT", "END", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"};
// What would leave something behind in a connection that others use after.
constexpr std::array<std::string_view, 15> kSessionWords = {
    "CLOSE", "COPY", "DEALLOCATE", "DECLARE", "DISCARD", "EXECUTE",  "FETCH", "LISTEN",
    "LOAD",  "MOVE", "PREPARE",    "RESET",   "SET",     "UNLISTEN", "VACUUM"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool makes_temporary(const Translated& translated) {
  const std::string& second = translated.second_word;
  return translated.first_word == "CREATE" &&
         (second.starts_with("TEMP") || second == "LOCAL" || second == "GLOBAL");
}

}  // namespace

Or<pooled::Ready> ready(Statement statement) {
  auto checked = check_statement(statement);
  if (!checked) return failed(std::move(checked).error());
  auto translated = to_postgres(statement.text);
  if (!translated) return failed(std::move(translated).error());
  if (is_one_of(kTransactionWords, translated->first_word)) {
    return failed(Failure::access_denied(
        "transactions are begun and ended by the interface, not by statements"));
  }
  if (is_one_of(kSessionWords, translated->first_word)) {
    return failed(Failure::access_denied(
        fmt::format("{} is not served: connections are shared", translated->first_word)));
  }
  if (makes_temporary(*translated)) {
    return failed(Failure::access_denied("temporary tables are not kept: connections are shared"));
  }
  if (translated->parameters != statement.parameters.size()) {
    return failed(Failure::invalid_parameter(
        fmt::format("{} parameters for a statement with {} question marks",
                    statement.parameters.size(), translated->parameters)));
  }
  // What these run may do anything.
  bool runs_others = translated->first_word == "DO" || translated->first_word == "CALL";
  return pooled::Ready{std::move(translated->text), std::move(statement.parameters),
                       translated->leaves_traces || runs_others};
}

}  // namespace weft::sql::postgres
