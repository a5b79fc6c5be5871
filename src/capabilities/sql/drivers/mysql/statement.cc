#include "capabilities/sql/drivers/mysql/statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "capabilities/sql/drivers/mysql/scanner.h"

namespace weft::sql::mysql {
namespace {

constexpr std::array<std::string_view, 9> kTransactionWords = {
    "BEGIN", "COMMIT", "END", "RELEASE", "ROLLBACK", "SAVEPOINT", "START", "XA", "TRANSACTION"};
// What would leave something behind in a connection that others use after, or is none of theirs.
constexpr std::array<std::string_view, 27> kSessionWords = {
    "BACKUP",   "BINLOG",  "CACHE",  "CALL",      "CHANGE",    "CLOSE",   "DEALLOCATE",
    "DECLARE",  "EXECUTE", "FETCH",  "FLUSH",     "HANDLER",   "INSTALL", "KILL",
    "LOAD",     "LOCK",    "OPEN",   "PREPARE",   "PURGE",     "RESET",   "SET",
    "SHUTDOWN", "STOP",    "UNLOCK", "UNINSTALL", "TEMPORARY", "USE"};
constexpr std::array<std::string_view, 13> kCommittingWords = {
    "ALTER",   "ANALYZE",  "CHECK",  "CREATE", "DROP",   "GRANT",   "IMPORT",
    "INSTALL", "OPTIMIZE", "RENAME", "REPAIR", "REVOKE", "TRUNCATE"};
constexpr std::array<std::string_view, 7> kReadingWords = {"DESC", "DESCRIBE", "EXPLAIN", "SELECT",
                                                           "SHOW", "VALUES",   "WITH"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

Or<pooled::Ready> ready(Statement statement) {
  auto checked = check_statement(statement);
  if (!checked) return failed(std::move(checked).error());
  auto scanned = scan(statement.text);
  if (!scanned) return failed(std::move(scanned).error());
  if (scanned->empty) {
    return failed(Failure::invalid_sql("there is no statement in the text"));
  }
  const std::string& first = scanned->first_word;
  if (is_one_of(kTransactionWords, first)) {
    return failed(Failure::access_denied(
        "transactions are begun and ended by the interface, not by statements"));
  }
  if (is_one_of(kSessionWords, first)) {
    return failed(
        Failure::access_denied(fmt::format("{} is not served: connections are shared", first)));
  }
  if ((first == "CREATE" || first == "DROP") && scanned->second_word == "TEMPORARY") {
    return failed(Failure::access_denied("temporary tables are not kept: connections are shared"));
  }
  if (scanned->parameters != statement.parameters.size()) {
    return failed(Failure::invalid_parameter(
        fmt::format("{} parameters for a statement with {} question marks",
                    statement.parameters.size(), scanned->parameters)));
  }
  // What these run may do anything; OR REPLACE may stand before TEMPORARY.
  bool hides = first == "DO" || (first == "CREATE" && scanned->second_word == "OR");
  return pooled::Ready{std::move(scanned->text), std::move(statement.parameters),
                       scanned->leaves_traces || hides};
}

std::string first_word(const pooled::Ready& statement) {
  auto scanned = scan(statement.text);
  return scanned ? scanned->first_word : "";
}

bool commits(const pooled::Ready& statement) {
  return is_one_of(kCommittingWords, first_word(statement));
}

bool may_read_only(const pooled::Ready& statement) {
  return is_one_of(kReadingWords, first_word(statement));
}

}  // namespace weft::sql::mysql
