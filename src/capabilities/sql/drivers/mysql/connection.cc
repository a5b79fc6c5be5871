#include "capabilities/sql/drivers/mysql/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "base/check.h"
#include "capabilities/sql/drivers/mysql/statement.h"
#include "io/loop.h"

namespace weft::sql::mysql {
namespace {

using Event = pooled::Socket::Event;

// Of statements that change rows and give some back.
bool changes_rows(std::string_view first_word) {
  return first_word == "INSERT" || first_word == "REPLACE" || first_word == "DELETE" ||
         first_word == "UPDATE";
}

}  // namespace

Connection::Connection(Loop& loop, Pool& helpers, std::shared_ptr<const Target> target,
                       std::shared_ptr<MYSQL> handle)
    : loop_(loop),
      helpers_(helpers),
      target_(std::move(target)),
      shared_(std::move(handle)),
      handle_(shared_.get()),
      socket_(loop) {
  int descriptor = mysql_get_socket(handle_);
  // It was connected by waiting, and nothing is waited for in it from now on.
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  socket_.watch(descriptor);
}

// The session goes first: then libmariadb only frees what its statements have here, also of one
// that was given up in the middle.
Connection::~Connection() {
  socket_.release();
  // Nothing more is said to a server that does not listen: an operation that was given up would
  // wait for it, outside of where it may.
  if (broken_ || open_) shutdown(mysql_get_socket(handle_), SHUT_RDWR);
  CHECK(shared_.use_count() == 1);
  shared_.reset();
  for (Prepared& each : kept_) mysql_stmt_close(each.handle);
  for (auto& [number, cursor] : cursors_) mysql_stmt_close(cursor.statement.handle);
}

unsigned Connection::server_status() {
  unsigned status = 0;
  mariadb_get_infov(handle_, MARIADB_CONNECTION_SERVER_STATUS, &status);
  return status;
}

Failure Connection::given_up() {
  return Failure::unavailable(
      "the server did not answer in time: it is not known whether the statement was done");
}

Failure Connection::failed_statement(MYSQL_STMT* statement) {
  unsigned number = mysql_stmt_errno(statement);
  // What fails between two rows is told to the session alone.
  if (number == 0) return failed_session();
  std::string message = mysql_stmt_error(statement);
  if (loses_connection(number)) {
    broken_ = true;
    message += ": it is not known whether the statement was done";
  }
  return failure_of(number, mysql_stmt_sqlstate(statement), std::move(message));
}

Failure Connection::failed_session() {
  unsigned number = mysql_errno(handle_);
  std::string message = mysql_error(handle_);
  if (loses_connection(number)) {
    broken_ = true;
    message += ": it is not known whether the statement was done";
  }
  return failure_of(number, mysql_sqlstate(handle_), std::move(message));
}

template <class Start, class GoOn>
Wait<bool> Connection::drive(Start start, GoOn go_on, Deadline deadline) {
  int status = start();
  open_ = status != 0;
  while (status != 0) {
    auto event = (status & MYSQL_WAIT_READ) != 0 ? Event::kReadable : Event::kWritable;
    if (co_await socket_.ready(event, deadline)) {
      status = go_on((status & MYSQL_WAIT_READ) != 0 ? MYSQL_WAIT_READ : MYSQL_WAIT_WRITE);
      continue;
    }
    if (asked_ || !stops_ || event == Event::kWritable) {
      broken_ = true;
      co_return false;
    }
    asked_ = true;
    spoiled_ = true;  // The server may stop what comes next instead.
    deadline = Deadline::after(kStopping);
    co_await ask_to_stop(deadline);
  }
  open_ = false;
  co_return true;
}

Wait<void> Connection::ask_to_stop(Deadline deadline) {
  auto other = co_await bare(loop_, helpers_, target_, deadline);
  if (!other) co_return;
  static_cast<void>(
      co_await (*other)->say(fmt::format("KILL QUERY {}", mysql_thread_id(handle_)), deadline));
}

Wait<Or<void>> Connection::say(std::string text, Deadline deadline) {
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  pooled::Counted counted(*target_->health, broken_);
  int result = 0;
  bool done = co_await drive(
      [&] { return mysql_real_query_start(&result, handle_, text.data(), text.size()); },
      [&](int status) { return mysql_real_query_cont(&result, handle_, status); }, deadline);
  if (!done) co_return failed(given_up());
  if (result != 0) co_return failed(failed_session());
  co_return Or<void>();
}

Wait<Or<void>> Connection::begin(TransactionOptions options, Deadline deadline) {
  bool reads = options.access == Access::kReadOnly;
  // A snapshot of what is committed is in some order with all that lock what they read.
  std::string_view isolation = options.isolation == Isolation::kReadCommitted ? "READ COMMITTED"
                               : reads                                        ? "REPEATABLE READ"
                               : options.isolation == Isolation::kRepeatableRead && snapshots_
                                   ? "REPEATABLE READ"
                                   : "SERIALIZABLE";
  auto set = co_await say(fmt::format("SET TRANSACTION ISOLATION LEVEL {}", isolation), deadline);
  if (!set) co_return set;
  std::string_view snapshot = isolation == "REPEATABLE READ" ? " WITH CONSISTENT SNAPSHOT," : "";
  in_transaction_ = true;
  co_return co_await say(
      fmt::format("START TRANSACTION{}{}", snapshot, reads ? " READ ONLY" : " READ WRITE"),
      deadline);
}

// Cursors end with their transaction.
Wait<void> Connection::ended() {
  in_transaction_ = false;
  while (!cursors_.empty()) {
    auto cursor = cursors_.extract(cursors_.begin());
    co_await drop(std::move(cursor.mapped().statement));
  }
}

Wait<Or<void>> Connection::commit(Deadline deadline) {
  auto done = co_await say("COMMIT", deadline);
  if (done) co_await ended();
  co_return done;
}

Wait<Or<void>> Connection::rollback(Deadline deadline) {
  auto done = co_await say("ROLLBACK", deadline);
  if (done) co_await ended();
  co_return done;
}

Wait<Or<Connection::Prepared>> Connection::prepare(const std::string& text, Deadline deadline) {
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  Prepared statement{mysql_stmt_init(handle_), text};
  if (statement.handle == nullptr) co_return failed(Failure::limit("there is no memory for it"));
  int result = 0;
  bool done = co_await drive(
      [&] { return mysql_stmt_prepare_start(&result, statement.handle, text.data(), text.size()); },
      [&](int status) { return mysql_stmt_prepare_cont(&result, statement.handle, status); },
      deadline);
  if (done && result == 0) co_return statement;
  Failure why = done ? failed_statement(statement.handle) : given_up();
  co_await drop(std::move(statement));
  co_return failed(std::move(why));
}

Wait<Or<Connection::Prepared>> Connection::take(const std::string& text, Deadline deadline) {
  auto found = by_text_.find(text);
  if (found == by_text_.end()) co_return co_await prepare(text, deadline);
  auto place = found->second;
  by_text_.erase(found);  // Before its text moves.
  Prepared statement = std::move(*place);
  kept_.erase(place);
  co_return statement;
}

Wait<void> Connection::keep(Prepared statement) {
  if (broken_ || statement.text.size() > kPreparedBytesMax) {
    co_await drop(std::move(statement));
    co_return;
  }
  kept_.push_front(std::move(statement));
  by_text_[kept_.front().text] = kept_.begin();
  if (kept_.size() <= kPreparedMax) co_return;
  by_text_.erase(kept_.back().text);  // Before it moves.
  Prepared last = std::move(kept_.back());
  kept_.pop_back();
  co_await drop(std::move(last));
}

// A session that is broken frees it when it goes.
Wait<void> Connection::drop(Prepared statement) {
  if (!broken_) {
    my_bool result = 0;
    constexpr std::chrono::seconds kDropping{2};
    bool done = co_await drive(
        [&] { return mysql_stmt_close_start(&result, statement.handle); },
        [&](int status) { return mysql_stmt_close_cont(&result, statement.handle, status); },
        Deadline::after(kDropping));
    if (done) co_return;
  }
  statement.text.clear();
  kept_.push_back(std::move(statement));
}

Wait<Or<void>> Connection::execute(Prepared& statement, Parameters& parameters, Deadline deadline) {
  MYSQL_STMT* handle = statement.handle;
  if (parameters.count() > 0 && mysql_stmt_bind_param(handle, parameters.binds()) != 0) {
    co_return failed(failed_statement(handle));
  }
  int result = 0;
  bool done = co_await drive(
      [&] { return mysql_stmt_execute_start(&result, handle); },
      [&](int status) { return mysql_stmt_execute_cont(&result, handle, status); }, deadline);
  if (!done) co_return failed(given_up());
  if (result != 0) co_return failed(failed_statement(handle));
  if (mysql_stmt_field_count(handle) == 0) co_return Or<void>();
  statement.reader = std::make_unique<RowReader>(handle);
  if (!statement.reader->bind(handle)) co_return failed(failed_statement(handle));
  co_return Or<void>();
}

Wait<Or<std::optional<Row>>> Connection::next_row(Prepared& statement, std::size_t& bytes,
                                                  Deadline deadline) {
  int result = 0;
  bool done = co_await drive(
      [&] { return mysql_stmt_fetch_start(&result, statement.handle); },
      [&](int status) { return mysql_stmt_fetch_cont(&result, statement.handle, status); },
      deadline);
  if (!done) co_return failed(given_up());
  if (result == MYSQL_NO_DATA) co_return std::optional<Row>();
  if (result != 0 && result != MYSQL_DATA_TRUNCATED) {
    co_return failed(failed_statement(statement.handle));
  }
  co_return statement.reader->row(statement.handle, bytes);
}

Wait<Or<Outcome>> Connection::answer(Prepared& statement, std::string_view first, Wanted wanted,
                                     Bounds bounds, Deadline deadline) {
  Outcome outcome;
  if (mysql_stmt_field_count(statement.handle) == 0) {
    outcome.affected = mysql_stmt_affected_rows(statement.handle);
    co_return outcome;
  }
  if (wanted == Wanted::kRows) outcome.set.columns = statement.reader->columns();
  std::uint64_t rows = 0;
  std::size_t bytes = 0;
  for (;;) {
    auto row = co_await next_row(statement, bytes, deadline);
    if (!row) co_return failed(std::move(row).error());
    if (!*row) break;
    ++rows;
    if (wanted == Wanted::kCount) continue;
    outcome.set.rows.push_back(**std::move(row));
    if (bytes <= bounds.bytes && rows <= bounds.rows) continue;
    // The server notices when it sends the rest, and rolls back.
    broken_ = true;
    co_return failed(Failure::limit(
        fmt::format("more than {} rows or {} bytes: read them with a cursor, or use LIMIT",
                    bounds.rows, bounds.bytes)));
  }
  my_bool result = 0;
  bool done = co_await drive(
      [&] { return mysql_stmt_free_result_start(&result, statement.handle); },
      [&](int status) { return mysql_stmt_free_result_cont(&result, statement.handle, status); },
      deadline);
  if (!done) co_return failed(given_up());
  if (changes_rows(first)) outcome.affected = rows;
  co_return outcome;
}

Wait<Or<Outcome>> Connection::run(const Ready& statement, Wanted wanted, Bounds bounds,
                                  Deadline deadline) {
  if (deadline.passed()) co_return failed(Failure::timeout("the time was up before it began"));
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  if (in_transaction_ && commits(statement)) {
    co_return failed(Failure::access_denied(
        "this statement would commit the transaction: run it outside of one"));
  }
  asked_ = false;
  spoiled_ |= statement.leaves_traces;
  pooled::Counted counted(*target_->health, broken_);
  auto taken = co_await take(statement.text, deadline);
  if (!taken) co_return failed(std::move(taken).error());
  Parameters parameters(statement.parameters);
  Or<Outcome> outcome = Outcome();
  auto executed = co_await execute(*taken, parameters, deadline);
  if (executed) {
    outcome = co_await answer(*taken, first_word(statement), wanted, bounds, deadline);
  } else {
    outcome = failed(std::move(executed).error());
  }
  if (outcome) {
    co_await keep(*std::move(taken));
  } else {
    co_await drop(*std::move(taken));
  }
  co_return outcome;
}

Wait<Or<void>> Connection::open_cursor(CursorNumber number, const Ready& statement,
                                       Deadline deadline) {
  if (!may_read_only(statement)) {
    co_return failed(Failure::invalid_sql("a cursor reads: this statement does not"));
  }
  asked_ = false;
  spoiled_ |= statement.leaves_traces;
  pooled::Counted counted(*target_->health, broken_);
  auto prepared = co_await prepare(statement.text, deadline);
  if (!prepared) co_return failed(std::move(prepared).error());
  MYSQL_STMT* handle = prepared->handle;
  OpenCursor& cursor = cursors_[number];
  cursor.statement = *std::move(prepared);
  if (mysql_stmt_field_count(handle) == 0) {
    co_return failed(Failure::invalid_sql("a cursor reads: this statement does not"));
  }
  unsigned long type = CURSOR_TYPE_READ_ONLY;
  mysql_stmt_attr_set(handle, STMT_ATTR_CURSOR_TYPE, &type);
  Parameters parameters(statement.parameters);
  auto executed = co_await execute(cursor.statement, parameters, deadline);
  if (!executed) co_return executed;
  cursor.rows.columns = cursor.statement.reader->columns();
  if ((server_status() & SERVER_STATUS_CURSOR_EXISTS) != 0) co_return Or<void>();
  // Of statements whose rows the server does not keep they are all taken now.
  cursor.buffered = true;
  auto outcome = co_await answer(cursor.statement, "", Wanted::kRows, {}, deadline);
  if (!outcome) co_return failed(std::move(outcome).error());
  cursor.rows = std::move(outcome->set);
  co_return Or<void>();
}

Wait<Or<ResultSet>> Connection::fetch(CursorNumber number, std::size_t rows, Deadline deadline) {
  OpenCursor& cursor = cursors_.at(number);
  ResultSet set{cursor.rows.columns};
  if (cursor.buffered) {
    auto& all = cursor.rows.rows;
    for (; cursor.next < all.size() && set.rows.size() < rows; ++cursor.next) {
      set.rows.push_back(std::move(all[cursor.next]));
    }
    co_return set;
  }
  if (cursor.done) co_return set;
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  asked_ = false;
  pooled::Counted counted(*target_->health, broken_);
  unsigned long step = rows;
  mysql_stmt_attr_set(cursor.statement.handle, STMT_ATTR_PREFETCH_ROWS, &step);
  std::size_t bytes = 0;
  while (set.rows.size() < rows) {
    auto row = co_await next_row(cursor.statement, bytes, deadline);
    if (!row) co_return failed(std::move(row).error());
    if (!*row) {
      cursor.done = true;
      break;
    }
    set.rows.push_back(**std::move(row));
  }
  co_return set;
}

Wait<Or<void>> Connection::close(std::span<const CursorNumber> numbers, Deadline) {
  for (CursorNumber each : numbers) {
    auto cursor = cursors_.extract(each);
    if (!cursor.empty()) co_await drop(std::move(cursor.mapped().statement));
  }
  if (broken_) co_return failed(given_up());
  co_return Or<void>();
}

bool Connection::usable() {
  if (broken_ || open_ || spoiled_ || in_transaction_ || !cursors_.empty()) return false;
  if ((server_status() & SERVER_STATUS_IN_TRANS) != 0) return false;
  // A server that has gone has left its last words, or the end of the stream.
  char byte = 0;
  return recv(mysql_get_socket(handle_), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace weft::sql::mysql
