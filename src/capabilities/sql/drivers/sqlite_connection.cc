#include "capabilities/sql/drivers/sqlite_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "base/check.h"
#include "base/log.h"

namespace weft::sql::sqlite {
namespace {

// "weft" in the file's header: a database that another program made is not taken over.
constexpr std::int64_t kApplication = 0x77656674;
// Steps of SQLite's machine between two looks at the clock: some microseconds.
constexpr int kStepsBetweenLooks = 4096;
// Files up to this size are checked page by page when they are opened.
constexpr std::uintmax_t kInspectedBytesMax = 64 << 20;

// What describes a database and changes nothing.
constexpr std::array<std::string_view, 8> kPragmas = {
    "foreign_key_check", "foreign_key_list", "index_info", "index_list",
    "index_xinfo",       "table_info",       "table_list", "table_xinfo"};

// What is left of a text without the blanks, comments and semicolons that it begins with.
std::string_view without_blanks(std::string_view tail) {
  while (!tail.empty()) {
    if (tail.starts_with("--")) {
      tail.remove_prefix(std::min(tail.find('\n'), tail.size()));
    } else if (tail.starts_with("/*")) {
      auto end = tail.find("*/", 2);
      tail.remove_prefix(end == tail.npos ? tail.size() : end + 2);
    } else if (std::string_view(" \t\r\n\f;").contains(tail.front())) {
      tail.remove_prefix(1);
    } else {
      break;
    }
  }
  return tail;
}

ConstraintKind constraint_of(int code) {
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return ConstraintKind::kUnique;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return ConstraintKind::kForeignKey;
    case SQLITE_CONSTRAINT_NOTNULL: return ConstraintKind::kNotNull;
    case SQLITE_CONSTRAINT_CHECK: return ConstraintKind::kCheck;
    default: return ConstraintKind::kOther;
  }
}

}  // namespace

Prepared::~Prepared() {
  if (statement_ != nullptr) connection_->give_back(std::move(text_), statement_);
}

Or<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file, Role role,
                                                 Stopping stopping) {
  std::unique_ptr<Connection> connection(new Connection(std::move(stopping)));
  connection->file_ = file.string();
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (role == Role::kWriter) flags |= SQLITE_OPEN_CREATE;
  int code = sqlite3_open_v2(file.c_str(), &connection->database_, flags, nullptr);
  if (code != SQLITE_OK) return failed(connection->failure(code));
  auto configured = connection->configure(role);
  if (!configured) return failed(std::move(configured).error());
  return connection;
}

Connection::~Connection() {
  for (Kept& each : kept_) sqlite3_finalize(each.statement);
  CHECK(sqlite3_close(database_) == SQLITE_OK);
}

Or<void> Connection::configure(Role role) {
  sqlite3_busy_handler(database_, busy, this);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_limit(database_, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(database_, SQLITE_LIMIT_LENGTH, static_cast<int>(kResultBytesMax));
  sqlite3_limit(database_, SQLITE_LIMIT_SQL_LENGTH, static_cast<int>(kStatementBytesMax) + 1);
  sqlite3_limit(database_, SQLITE_LIMIT_VARIABLE_NUMBER, static_cast<int>(kParametersMax));
  sqlite3_set_authorizer(database_, authorize, this);
  sqlite3_progress_handler(database_, kStepsBetweenLooks, progress, this);
  constexpr auto kOpening = std::chrono::seconds(10);
  deadline_ = Deadline::after(kOpening);
  if (role == Role::kWriter) {
    // A file that is there and not ours is not written to, not even to set its mode.
    auto application = own_number("PRAGMA application_id");
    if (!application) return failed(std::move(application).error());
    auto tables = own_number("SELECT count(*) FROM sqlite_schema");
    if (!tables) return failed(std::move(tables).error());
    if (*application != kApplication && (*application != 0 || *tables != 0)) {
      return failed(broken("it is a database of another program: move it away"));
    }
    for (const char* text : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                             "PRAGMA journal_size_limit = 67108864"}) {
      auto done = own(text);
      if (!done) return done;
    }
    if (*application != kApplication) {
      auto done = own(fmt::format("PRAGMA application_id = {}", kApplication).c_str());
      if (!done) return done;
    }
  } else {
    auto done = own("PRAGMA query_only = ON");
    if (!done) return done;
  }
  return own("PRAGMA cell_size_check = ON; PRAGMA case_sensitive_like = ON");
}

Or<void> Connection::own(const char* text) {
  own_ = true;
  int code = sqlite3_exec(database_, text, nullptr, nullptr, nullptr);
  own_ = false;
  if (code != SQLITE_OK) return failed(failure(code));
  return {};
}

Or<std::int64_t> Connection::own_number(const char* text) {
  own_ = true;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(database_, text, -1, &statement, nullptr);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  own_ = false;
  std::int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  Or<std::int64_t> answer = number;
  if (code != SQLITE_ROW && code != SQLITE_DONE) answer = failed(failure(code));
  sqlite3_finalize(statement);
  return answer;
}

Or<void> Connection::inspect() {
  std::error_code problem;
  auto size = std::filesystem::file_size(file_, problem);
  if (problem || size > kInspectedBytesMax) return {};
  constexpr auto kInspecting = std::chrono::seconds(30);
  deadline_ = Deadline::after(kInspecting);
  own_ = true;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(database_, "PRAGMA quick_check(1)", -1, &statement, nullptr);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  own_ = false;
  std::string found;
  if (code == SQLITE_ROW) {
    const auto* text = sqlite3_column_text(statement, 0);
    if (text != nullptr) found = reinterpret_cast<const char*>(text);
  }
  Or<void> outcome;
  if (code != SQLITE_ROW && code != SQLITE_DONE) outcome = failed(failure(code));
  sqlite3_finalize(statement);
  if (outcome && found != "ok") outcome = failed(broken(found));
  return outcome;
}

Or<Prepared> Connection::prepare(const std::string& text) {
  auto found = std::ranges::find(kept_, text, &Kept::text);
  if (found != kept_.end()) {
    Prepared prepared(*this, std::move(found->text), found->statement);
    kept_.erase(found);
    return prepared;
  }
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  denied_.clear();
  bool keep = text.size() <= kKeptTextBytesMax;
  // With its NUL the text is not copied.
  int code = sqlite3_prepare_v3(database_, text.c_str(), static_cast<int>(text.size()) + 1,
                                keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement, &tail);
  if (code != SQLITE_OK) return failed(failure(code));
  if (statement == nullptr)
    return failed(Failure::invalid_sql("there is no statement in the text"));
  Prepared prepared(*this, text, statement);
  std::string_view rest = without_blanks(tail);
  if (!rest.empty()) {
    return failed(Failure::invalid_sql(fmt::format(
        "a second statement: \"{:.40}\": one goes in a call, several in a transaction", rest)));
  }
  return prepared;
}

void Connection::give_back(std::string text, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (text.size() > kKeptTextBytesMax) {
    sqlite3_finalize(statement);
    return;
  }
  kept_.push_front({std::move(text), statement});
  if (kept_.size() <= kStatementsKept) return;
  sqlite3_finalize(kept_.back().statement);
  kept_.pop_back();
}

Or<Outcome> Connection::run(Prepared& prepared, std::span<const Value> parameters, Wanted wanted,
                            Deadline deadline) {
  auto bound = bind_values(prepared.get(), parameters);
  if (!bound) return failed(std::move(bound).error());
  deadline_ = deadline;
  denied_.clear();
  Outcome outcome;
  std::optional<RowReader> reader;
  std::int64_t changes = sqlite3_total_changes64(database_);
  std::size_t bytes = 0;
  for (;;) {
    int code = sqlite3_step(prepared.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(failure(code));
    if (wanted == Wanted::kRows && !reader) reader.emplace(prepared.get());
    if (code == SQLITE_DONE) break;
    if (wanted == Wanted::kCount) continue;
    auto row = reader->read(bytes);
    if (!row) return failed(std::move(row).error());
    if (bytes > kResultBytesMax || outcome.set.rows.size() == kResultRowsMax) {
      return failed(Failure::limit(
          fmt::format("more than {} rows or {} bytes: read them with a cursor, or use LIMIT",
                      kResultRowsMax, kResultBytesMax)));
    }
    outcome.set.rows.push_back(*std::move(row));
  }
  if (reader) outcome.set.columns = reader->take_columns();
  // Other statements than those that change rows leave SQLite's count as it was.
  if (sqlite3_total_changes64(database_) != changes) {
    outcome.affected = static_cast<std::uint64_t>(sqlite3_changes64(database_));
  }
  return outcome;
}

Or<std::vector<Row>> Connection::fetch(Prepared& prepared, std::optional<RowReader>& reader,
                                       std::size_t rows_max, std::size_t bytes_max, bool& done,
                                       Deadline deadline) {
  deadline_ = deadline;
  denied_.clear();
  std::vector<Row> rows;
  std::size_t bytes = 0;
  while (!done && rows.size() < rows_max && bytes < bytes_max) {
    int code = sqlite3_step(prepared.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(failure(code));
    if (!reader) reader.emplace(prepared.get());
    done = code == SQLITE_DONE;
    if (done) break;
    auto row = reader->read(bytes);
    if (!row) return failed(std::move(row).error());
    rows.push_back(*std::move(row));
  }
  return rows;
}

Or<void> Connection::begin(Access access, Deadline deadline) {
  deadline_ = deadline;
  if (access == Access::kReadWrite) return own("BEGIN IMMEDIATE");
  auto begun = own("BEGIN");
  if (!begun) return begun;
  // The snapshot is taken by the first read.
  auto looked = own_number("SELECT count(*) FROM sqlite_schema");
  if (looked) return {};
  rollback();
  return failed(std::move(looked).error());
}

Or<void> Connection::commit(Deadline deadline) {
  deadline_ = deadline;
  auto done = own("COMMIT");
  if (!done) rollback();
  return done;
}

void Connection::rollback() {
  deadline_ = Deadline::never();
  if (in_transaction()) static_cast<void>(own("ROLLBACK"));
}

void Connection::set_size_max(std::uint64_t bytes) {
  deadline_ = Deadline::never();
  auto page = own_number("PRAGMA page_size").value_or(4096);
  auto pages = bytes / static_cast<std::uint64_t>(std::max<std::int64_t>(page, 512));
  constexpr std::uint64_t kPagesMax = 0xfffffffe;
  pages = std::clamp<std::uint64_t>(pages, 2, kPagesMax);
  static_cast<void>(own_number(fmt::format("PRAGMA max_page_count = {}", pages).c_str()));
}

Failure Connection::failure(int code) const {
  std::string message = database_ != nullptr ? sqlite3_errmsg(database_) : sqlite3_errstr(code);
  if (!denied_.empty()) return Failure::access_denied(denied_);
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT: return Failure::constraint({constraint_of(code), std::move(message)});
    case SQLITE_INTERRUPT:
      if (stopping_->load()) return Failure::unavailable("the host is stopping");
      return Failure::timeout("the statement took longer than it may");
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Failure::busy("another program uses the database: " + message);
    case SQLITE_FULL: return Failure::limit("the database is full: " + message);
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM: return Failure::limit(std::move(message));
    case SQLITE_AUTH: return Failure::access_denied(denied_.empty() ? std::move(message) : denied_);
    case SQLITE_READONLY: return Failure::access_denied(std::move(message));
    case SQLITE_MISMATCH:
    case SQLITE_RANGE: return Failure::invalid_parameter(std::move(message));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return broken(message);
    case SQLITE_ERROR: return Failure::invalid_sql(std::move(message));
    default: return Failure::other(std::move(message));
  }
}

// The guest is told what is wrong, and the operator with which file.
Failure Connection::broken(std::string_view what) const {
  if (!std::exchange(told_, true)) {
    log::error("sql", "a database's file cannot be used", {{"file", file_}, {"what", what}});
  }
  return Failure::unavailable(fmt::format("the database's file cannot be used: {}", what));
}

// Says what a statement of a guest may do; asked while it is compiled.
int Connection::authorize(void* self, int action, const char* first, const char* second,
                          const char* /*database*/, const char* /*trigger*/) {
  auto* connection = static_cast<Connection*>(self);
  if (connection->own_) return SQLITE_OK;
  auto deny = [&](std::string why) {
    connection->denied_ = std::move(why);
    return SQLITE_DENY;
  };
  switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      return deny("transactions are begun and ended by the interface, not by statements");
    case SQLITE_ATTACH:
    case SQLITE_DETACH: return deny("no other files are reached: no ATTACH, no VACUUM");
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
      return deny("temporary tables are not kept: connections are shared");
    case SQLITE_PRAGMA: {
      std::string name(first != nullptr ? first : "");
      std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
      if (std::ranges::find(kPragmas, name) != kPragmas.end()) return SQLITE_OK;
      return deny(fmt::format("PRAGMA {} is not served", name));
    }
    case SQLITE_FUNCTION: {
      std::string_view name(second != nullptr ? second : "");
      if (name == "load_extension" || name == "fts3_tokenizer") {
        return deny(fmt::format("the function {} is not served", name));
      }
      return SQLITE_OK;
    }
    default: return SQLITE_OK;
  }
}

int Connection::progress(void* self) {
  return static_cast<Connection*>(self)->must_stop() ? 1 : 0;
}

// Another program has the file locked: its turn ends, or the deadline comes.
int Connection::busy(void* self, int /*times*/) {
  if (static_cast<Connection*>(self)->must_stop()) return 0;
  constexpr auto kBetweenTries = std::chrono::milliseconds(2);
  std::this_thread::sleep_for(kBetweenTries);
  return 1;
}

}  // namespace weft::sql::sqlite
