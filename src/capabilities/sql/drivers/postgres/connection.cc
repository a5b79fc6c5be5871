#include "capabilities/sql/drivers/postgres/connection.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "io/loop.h"
#include "remote/said.h"

namespace weft::sql::postgres {
namespace {

using pooled::apart;
using Event = pooled::Socket::Event;

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Held = std::unique_ptr<PGresult, Clear>;

// "INSERT 0 5", "UPDATE 5": how many rows were changed, and 0 for what only read.
std::uint64_t affected_by(PGresult* result) {
  std::string_view status = PQcmdStatus(result);
  if (status.starts_with("SELECT") || status.starts_with("FETCH")) return 0;
  return std::strtoull(PQcmdTuples(result), nullptr, 10);
}

std::string begin_text(TransactionOptions options) {
  std::string text = "BEGIN ISOLATION LEVEL ";
  switch (options.isolation) {
    case Isolation::kReadCommitted: text += "READ COMMITTED"; break;
    case Isolation::kRepeatableRead: text += "REPEATABLE READ"; break;
    case Isolation::kSerializable: text += "SERIALIZABLE"; break;
  }
  text += options.access == Access::kReadOnly ? " READ ONLY" : " READ WRITE";
  // The snapshot is taken by the first statement, and that of `begin` is what was asked for.
  if (options.isolation != Isolation::kReadCommitted) text += "; SELECT 1";
  return text;
}

bool begins_with_create(std::string_view text) {
  constexpr std::string_view kCreate = "CREATE";
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return std::ranges::equal(text.substr(0, kCreate.size()), kCreate, [](char c, char upper) {
    return c == upper || c == upper + ('a' - 'A');
  });
}

std::string name_of(CursorNumber number) {
  return fmt::format("weft_c{}", number);
}

}  // namespace

Connection::Connection(Loop& loop, Pool& helpers, std::shared_ptr<const Target> target,
                       std::shared_ptr<PGconn> handle)
    : loop_(loop),
      helpers_(helpers),
      target_(std::move(target)),
      shared_(std::move(handle)),
      handle_(shared_.get()),
      socket_(loop) {}

Connection::~Connection() {
  socket_.release();  // Before libpq closes it.
}

// What libpq says of a session that cannot go on; it names host and user, and no password.
Failure Connection::lost() {
  broken_ = true;
  std::string message = remote::said(PQerrorMessage(handle_));
  return Failure::unavailable(message.empty() ? "the server cannot be reached" : message);
}

// The same, of a statement that is on its way.
Failure Connection::lost_with_statement() {
  broken_ = true;
  std::string_view words = PQerrorMessage(handle_);
  std::string message = remote::said(words.substr(0, words.find('\n')));
  if (message.empty()) message = "the connection to the server was lost";
  return Failure::unavailable(message + ": it is not known whether the statement was done");
}

Wait<Or<Connection::Done>> Connection::say(std::string text, Deadline deadline) {
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  if (PQsendQuery(handle_, text.c_str()) == 0) co_return failed(lost());
  co_return co_await finish(Wanted::kCount, {}, deadline);
}

Wait<Or<void>> Connection::begin(TransactionOptions options, Deadline deadline) {
  auto begun = co_await say(begin_text(options), deadline);
  if (!begun) co_return failed(std::move(begun).error());
  co_return Or<void>();
}

Wait<Or<void>> Connection::commit(Deadline deadline) {
  auto done = co_await say("COMMIT", deadline);
  if (!done) co_return failed(std::move(done).error());
  // The server says so where the transaction had failed before, and there is nothing to commit.
  if (done->command == "ROLLBACK") {
    co_return failed(Failure::conflict("the server rolled the transaction back"));
  }
  co_return Or<void>();
}

Wait<Or<void>> Connection::rollback(Deadline deadline) {
  auto done = co_await say("ROLLBACK", deadline);
  if (!done) co_return failed(std::move(done).error());
  co_return Or<void>();
}

Wait<Or<void>> Connection::open_cursor(CursorNumber number, const Ready& statement,
                                       Deadline deadline) {
  spoiled_ |= statement.leaves_traces;
  Ready declare{fmt::format("DECLARE {} NO SCROLL CURSOR FOR {}", name_of(number), statement.text)};
  Parameters parameters(statement.parameters);
  auto done = co_await run_as("", declare, parameters, Wanted::kCount, {}, deadline);
  if (!done) co_return failed(std::move(done).error());
  co_return Or<void>();
}

Wait<Or<ResultSet>> Connection::fetch(CursorNumber number, std::size_t rows, Deadline deadline) {
  Ready fetch{fmt::format("FETCH FORWARD {} FROM {}", rows, name_of(number))};
  auto done =
      co_await run_as("", fetch, Parameters(std::span<const Value>()), Wanted::kRows, {}, deadline);
  if (!done) co_return failed(std::move(done).error());
  co_return std::move(done->outcome.set);
}

Wait<Or<void>> Connection::close(std::span<const CursorNumber> numbers, Deadline deadline) {
  std::string text;
  for (CursorNumber each : numbers) text += fmt::format("CLOSE {};", name_of(each));
  auto done = co_await say(std::move(text), deadline);
  if (!done) co_return failed(std::move(done).error());
  co_return Or<void>();
}

Wait<Or<Outcome>> Connection::run(const Ready& statement, Wanted wanted, Bounds bounds,
                                  Deadline deadline) {
  if (deadline.passed()) co_return failed(Failure::timeout("the time was up before it began"));
  spoiled_ |= statement.leaves_traces;
  Parameters parameters(statement.parameters);
  bool alone = PQtransactionStatus(handle_) == PQTRANS_IDLE;
  auto* entry = prepared_.find(parameters.key(statement.text));
  if (entry != nullptr && entry->seen && entry->name.empty()) {
    auto prepared = co_await prepare(*entry, statement, parameters, deadline);
    if (!prepared) co_return failed(std::move(prepared).error());
  }
  std::string name = entry != nullptr ? entry->name : "";
  auto done = co_await run_as(name, statement, parameters, wanted, bounds, deadline);
  // The tables have changed since it was prepared, or a statement dropped what was.
  bool stale = !name.empty() && !done && (failed_state_ == "0A000" || failed_state_ == "26000");
  if (stale) {
    prepared_.forget(*entry);
    if (!alone) {
      co_return failed(Failure::conflict("the tables were changed by another: try again"));
    }
    done = co_await run_as("", statement, parameters, wanted, bounds, deadline);
  }
  // IF NOT EXISTS that finds another making the same just then: by now that is there.
  bool raced = alone && !done && (failed_state_ == "23505" || failed_state_ == "42710") &&
               begins_with_create(statement.text);
  if (raced) done = co_await run_as("", statement, parameters, wanted, bounds, deadline);
  if (!done) co_return failed(std::move(done).error());
  co_return std::move(done->outcome);
}

Wait<Or<void>> Connection::prepare(Prepared::Entry& entry, const Ready& statement,
                                   const Parameters& parameters, Deadline deadline) {
  std::string text;
  for (const std::string& each : prepared_.take_dropped()) {
    text += fmt::format("DEALLOCATE {};", each);
  }
  if (!text.empty()) {
    auto dropped = co_await say(std::move(text), deadline);
    // One that is not there was dropped by a statement; the session goes on.
    if (!dropped && failed_state_ != "26000") co_return failed(std::move(dropped).error());
  }
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  std::string name = prepared_.new_name();
  if (PQsendPrepare(handle_, name.c_str(), statement.text.c_str(), parameters.count(),
                    parameters.types()) == 0) {
    co_return failed(lost());
  }
  auto done = co_await finish(Wanted::kCount, {}, deadline);
  if (!done) co_return failed(std::move(done).error());
  entry.name = std::move(name);
  co_return Or<void>();
}

Wait<Or<Connection::Done>> Connection::run_as(const std::string& name, const Ready& statement,
                                              const Parameters& parameters, Wanted wanted,
                                              Bounds bounds, Deadline deadline) {
  if (broken_) co_return failed(Failure::unavailable("the connection to the server was lost"));
  int sent = name.empty() ? PQsendQueryParams(handle_, statement.text.c_str(), parameters.count(),
                                              parameters.types(), parameters.values(),
                                              parameters.lengths(), parameters.formats(), 0)
                          : PQsendQueryPrepared(handle_, name.c_str(), parameters.count(),
                                                parameters.values(), parameters.lengths(),
                                                parameters.formats(), 0);
  if (sent == 0) co_return failed(lost());
  PQsetSingleRowMode(handle_);
  co_return co_await finish(wanted, bounds, deadline);
}

Wait<Or<void>> Connection::send(Deadline deadline) {
  for (;;) {
    int left = PQflush(handle_);
    if (left == 0) co_return Or<void>();
    if (left < 0) co_return failed(lost_with_statement());
    if (!co_await socket_.ready(Event::kWritable, deadline)) {
      // Half a statement is on its way: the session cannot be used any more.
      broken_ = true;
      co_return failed(Failure::timeout("the server did not take the statement in time"));
    }
    if (PQconsumeInput(handle_) == 0) co_return failed(lost_with_statement());
  }
}

// A row that is too large to be taken is given up before all of it is here.
bool Connection::too_much_waits() {
  int waiting = 0;
  if (ioctl(PQsocket(handle_), FIONREAD, &waiting) == 0 && waiting > 0) {
    incomplete_bytes_ += static_cast<std::size_t>(waiting);
  }
  return incomplete_bytes_ > kIncompleteBytesMax;
}

Wait<Or<PGresult*>> Connection::next(Deadline deadline) {
  bool asked = false;
  bool again = false;
  while (PQisBusy(handle_) != 0) {
    if (!co_await socket_.ready(Event::kReadable, deadline)) {
      if (asked || !stops_) {
        broken_ = true;
        co_return failed(Failure::unavailable(
            "the server did not answer in time: it is not known whether the statement was done"));
      }
      asked = true;
      spoiled_ = true;  // The server may stop what comes next instead.
      deadline = Deadline::after(kStopping);
      co_await ask_to_stop(deadline);
      continue;
    }
    // Most answers come at once: what waits is counted from the second reading of one on.
    if (std::exchange(again, true) && too_much_waits()) {
      broken_ = true;
      co_return failed(Failure::limit("a row is larger than what a result may be"));
    }
    if (PQconsumeInput(handle_) == 0) co_return failed(lost_with_statement());
  }
  incomplete_bytes_ = 0;
  co_return PQgetResult(handle_);
}

// By a session of its own, because libpq's way of asking waits for as long as it takes, and asks in
// the clear.
Wait<void> Connection::ask_to_stop(Deadline deadline) {
  int process = PQbackendPID(handle_);
  if (process == 0) co_return;
  auto other = co_await bare(loop_, helpers_, target_, deadline);
  if (!other) co_return;
  static_cast<void>(
      co_await (*other)->say(fmt::format("SELECT pg_cancel_backend({})", process), deadline));
}

Wait<Or<Connection::Done>> Connection::finish(Wanted wanted, Bounds bounds, Deadline deadline) {
  failed_state_.clear();
  pooled::Counted counted(*target_->health, broken_);
  auto flushed = co_await send(deadline);
  if (!flushed) co_return failed(std::move(flushed).error());
  Done done;
  std::optional<Failure> failure;
  std::size_t bytes = 0;
  for (;;) {
    auto result = co_await next(deadline);
    if (!result) co_return failed(std::move(result).error());
    Held held(*result);
    if (held == nullptr) break;
    if (failure) continue;
    switch (PQresultStatus(held.get())) {
      case PGRES_SINGLE_TUPLE:
        if (wanted == Wanted::kCount) break;
        if (done.outcome.set.columns.empty()) done.outcome.set.columns = columns_of(held.get());
        done.outcome.set.rows.push_back(row_of(held.get(), 0, bytes));
        if (bytes <= bounds.bytes && done.outcome.set.rows.size() <= bounds.rows) break;
        // The server notices when it sends the rest, and rolls back.
        broken_ = true;
        co_return failed(Failure::limit(
            fmt::format("more than {} rows or {} bytes: read them with a cursor, or use LIMIT",
                        bounds.rows, bounds.bytes)));
      case PGRES_TUPLES_OK:
        if (wanted == Wanted::kRows) done.outcome.set.columns = columns_of(held.get());
        [[fallthrough]];
      case PGRES_COMMAND_OK:
        done.outcome.affected = affected_by(held.get());
        done.command = PQcmdStatus(held.get());
        break;
      case PGRES_EMPTY_QUERY:
        failure = Failure::invalid_sql("there is no statement in the text");
        break;
      case PGRES_FATAL_ERROR:
        if (auto* state = PQresultErrorField(held.get(), PG_DIAG_SQLSTATE)) failed_state_ = state;
        failure = failure_of(held.get());
        break;
      default:
        // A copy: the session would wait for data.
        broken_ = true;
        co_return failed(Failure::access_denied("COPY is not served"));
    }
  }
  if (PQstatus(handle_) == CONNECTION_BAD) broken_ = true;
  if (failure) co_return failed(*std::move(failure));
  co_return done;
}

bool Connection::usable() {
  if (broken_ || spoiled_ || PQstatus(handle_) != CONNECTION_OK) return false;
  return PQtransactionStatus(handle_) == PQTRANS_IDLE;
}

bool Connection::alive() {
  // A server that has gone has left its last words, or the end of the stream.
  return PQconsumeInput(handle_) == 1 && PQstatus(handle_) == CONNECTION_OK;
}

}  // namespace weft::sql::postgres
