#include "capabilities/sql/drivers/sqlite.h"

#include <fmt/format.h>

#include <utility>

#include "capabilities/sql/drivers/sqlite_session.h"
#include "io/loop.h"

namespace weft::sql {
namespace {

using sqlite::Connection;
using sqlite::File;
using sqlite::OpenRows;
using sqlite::Seat;
using sqlite::Session;
using Role = Connection::Role;

// An answer on its way from the pool's threads to the loop that waits for it.
template <class T>
class Reply {
 public:
  explicit Reply(Loop& loop) : loop_(&loop) {}

  Answer<Or<T>> answer() { return promise_.answer(); }
  // From any thread.
  void give(Or<T> outcome) && {
    loop_->post([promise = std::move(promise_), outcome = std::move(outcome)]() mutable {
      std::move(promise).fulfil(std::move(outcome));
    });
  }

 private:
  Loop* loop_;
  Promise<Or<T>> promise_;
};

template <class T>
Answer<Or<T>> refused(Failure failure) {
  return Answer<Or<T>>(Or<T>(failed(std::move(failure))));
}

Deadline deadline_of(Request request, const SqliteOptions& options) {
  return earlier(request.deadline,
                 Deadline::after(std::chrono::duration_cast<Deadline::Clock::duration>(
                     options.times.statement)));
}

// What a cursor or transaction has in common: a session, and work in it.
class Held {
 public:
  Held(std::shared_ptr<SqliteEngine> engine, std::shared_ptr<Session> session, Times times)
      : engine_(std::move(engine)), session_(std::move(session)), times_(times) {}

  Session& session() { return *session_; }
  const std::shared_ptr<Session>& shared() const { return session_; }
  const std::shared_ptr<SqliteEngine>& engine() const { return engine_; }
  Times times() const { return times_; }

  // Does `work(session, deadline)`, which gives an Or<T>, on a thread of the pool as one use of the
  // session. A failure ends the session. The work does not hold the engine, whose last owner must
  // not be one of its own threads.
  template <class T, class Work>
  Answer<Or<T>> use(Request request, Work work) {
    auto entered = session_->enter();
    if (!entered) return refused<T>(std::move(entered).error());
    auto deadline = deadline_of(request, {.times = times_});
    auto reply = std::make_shared<Reply<T>>(request.loop);
    auto answer = reply->answer();
    auto submitted = engine_->threads().pool.submit(
        [session = session_, deadline, reply, work = std::move(work)]() mutable {
          auto outcome = work(*session, deadline);
          if (!outcome) {
            session->finish(Failure::ended("a statement failed: " + to_text(outcome.error())));
          } else {
            session->leave();
          }
          std::move(*reply).give(std::move(outcome));
        });
    if (submitted) return answer;
    session_->leave();
    return refused<T>(failure_of(submitted.error()));
  }

 private:
  // Shared with whoever uses the databases: the last one closes them.
  std::shared_ptr<SqliteEngine> engine_;
  std::shared_ptr<Session> session_;  // Shared with its work and with the cursors in it.
  Times times_;
};

class SqliteCursor final : public Cursor {
 public:
  // Whether the session is the cursor's own, or that of a transaction.
  enum class Owns : std::uint8_t { kSession, kRows };

  SqliteCursor(Held held, std::shared_ptr<OpenRows> rows, Owns owns)
      : held_(std::move(held)),
        rows_(std::move(rows)),
        columns_(rows_->reader->take_columns()),
        owns_(owns) {}
  ~SqliteCursor() override {
    if (owns_ == Owns::kSession) {
      held_.session().end(Failure::ended("the cursor was closed"));
    } else {
      held_.session().drop_rows(std::move(rows_));
    }
  }

  const std::vector<Column>& columns() const override { return columns_; }

  Answer<Or<std::vector<Row>>> next(Request request, std::uint32_t max) override {
    using Rows = std::vector<Row>;
    return held_.use<Rows>(request, [rows = rows_, max](Session& session, Deadline deadline) {
      return session.fetch(*rows, max, deadline);
    });
  }

 private:
  Held held_;
  std::shared_ptr<OpenRows> rows_;  // Shared with the session, which ends them.
  std::vector<Column> columns_;
  Owns owns_;
};

class SqliteTransaction final : public Transaction {
 public:
  explicit SqliteTransaction(Held held) : held_(std::move(held)) {}
  ~SqliteTransaction() override {
    held_.session().end(Failure::ended("the transaction was dropped: it was rolled back"));
  }

  Answer<Or<Outcome>> run(Request request, Statement statement, Wanted wanted) override {
    if (auto checked = check_statement(statement); !checked) return give_up<Outcome>(checked);
    return held_.use<Outcome>(
        request,
        [statement = std::move(statement), wanted](Session& session,
                                                   Deadline deadline) -> Or<Outcome> {
          auto prepared = session.connection().prepare(statement.text);
          if (!prepared) return failed(std::move(prepared).error());
          if (session.access() == Access::kReadOnly && !prepared->reads_only()) {
            return failed(Failure::access_denied("the transaction is read-only"));
          }
          return session.connection().run(*prepared, statement.parameters, wanted, deadline);
        });
  }

  Answer<Or<std::unique_ptr<Cursor>>> open_cursor(Request request, Statement statement) override {
    using Opened = std::unique_ptr<Cursor>;
    if (auto checked = check_statement(statement); !checked) return give_up<Opened>(checked);
    using Rows = std::shared_ptr<OpenRows>;
    auto opened = held_.use<Rows>(
        request, [statement = std::move(statement)](Session& session, Deadline deadline) mutable {
          return session.open_rows(statement, deadline);
        });
    return std::move(opened).then([held = held_](Or<Rows> rows) -> Or<Opened> {
      if (!rows) return failed(std::move(rows).error());
      return std::make_unique<SqliteCursor>(held, *std::move(rows), SqliteCursor::Owns::kRows);
    });
  }

  Answer<Or<void>> commit(Request request) override {
    return end(request, Failure::ended("the transaction was committed"),
               [](Connection& connection, Deadline deadline) -> Or<void> {
                 if (deadline.passed()) {
                   return failed(Failure::timeout("the time was up before the commit began"));
                 }
                 return connection.commit(deadline);
               });
  }

  Answer<Or<void>> rollback(Request request) override {
    return end(request, Failure::ended("the transaction was rolled back"),
               [](Connection&, Deadline) -> Or<void> { return {}; });
  }

 private:
  template <class T>
  Answer<Or<T>> give_up(const Or<void>& checked) {
    held_.session().end(Failure::ended("a statement failed: " + to_text(checked.error())));
    return refused<T>(checked.error());
  }

  template <class Work>
  Answer<Or<void>> end(Request request, Failure told, Work work) {
    auto entered = held_.session().enter();
    if (!entered) return refused<void>(std::move(entered).error());
    auto deadline = deadline_of(request, {.times = held_.times()});
    auto reply = std::make_shared<Reply<void>>(request.loop);
    auto answer = reply->answer();
    auto submitted = held_.engine()->threads().pool.submit(
        [session = held_.shared(), told, deadline, reply, work]() mutable {
          auto outcome = work(session->connection(), deadline);
          session->finish(outcome ? std::move(told)
                                  : Failure::ended("it failed: " + to_text(outcome.error())));
          std::move(*reply).give(std::move(outcome));
        });
    if (submitted) return answer;
    held_.session().leave();
    return refused<void>(failure_of(submitted.error()));
  }

  Held held_;
};

// One statement outside of a transaction, on its way through the queue of the writer or the
// readers.
struct Single {
  std::shared_ptr<File> file;  // Shared with the database, which may go first.
  Statement statement;
  Wanted wanted;
  Deadline deadline;
  Reply<Outcome> reply;

  static void start(std::shared_ptr<Single> self, Role role) {
    auto& file = *self->file;
    auto deadline = self->deadline;
    file.take(role, deadline, [self = std::move(self)](Or<Seat> seat) mutable {
      if (!seat) return std::move(self->reply).give(failed(std::move(seat).error()));
      run(std::move(self), *std::move(seat));
    });
  }

  static void run(std::shared_ptr<Single> self, Seat seat) {
    if (self->deadline.passed()) {
      seat = Seat();
      return std::move(self->reply)
          .give(failed(Failure::timeout("the time was up before it began")));
    }
    auto outcome = attempt(*self, seat);
    // Its place is free before anybody hears of it.
    seat = Seat();
    if (!outcome) return start(std::move(self), Role::kWriter);
    std::move(self->reply).give(*std::move(outcome));
  }

  // Nothing where the statement writes and the seat is a reader's.
  static std::optional<Or<Outcome>> attempt(Single& self, Seat& seat) {
    auto prepared = seat.connection().prepare(self.statement.text);
    if (!prepared) return failed(std::move(prepared).error());
    bool writes = !prepared->reads_only();
    self.file->learn(self.statement.text, writes);
    if (writes && seat.role() == Role::kReader) return std::nullopt;
    return seat.connection().run(*prepared, self.statement.parameters, self.wanted, self.deadline);
  }
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::shared_ptr<SqliteEngine> engine, std::shared_ptr<File> file)
      : engine_(std::move(engine)), file_(std::move(file)) {}

  Answer<Or<Outcome>> run(Request request, Statement statement, Wanted wanted) override {
    if (auto checked = check_statement(statement); !checked) {
      return refused<Outcome>(std::move(checked).error());
    }
    auto role = file_->writes(statement.text).value_or(false) ? Role::kWriter : Role::kReader;
    auto single = std::make_shared<Single>(file_, std::move(statement), wanted,
                                           deadline_of(request, file_->options()),
                                           Reply<Outcome>(request.loop));
    auto answer = single->reply.answer();
    Single::start(std::move(single), role);
    return answer;
  }

  Answer<Or<std::unique_ptr<Transaction>>> begin(Request request,
                                                 TransactionOptions options) override {
    using Begun = std::unique_ptr<Transaction>;
    auto times = file_->options().times;
    auto held =
        hold(request, options.access, [](Session&, Deadline) -> Or<Rows> { return Rows(); });
    return std::move(held).then([engine = engine_, times](Or<Hold> hold) -> Or<Begun> {
      if (!hold) return failed(std::move(hold).error());
      return std::make_unique<SqliteTransaction>(Held(engine, std::move(hold->session), times));
    });
  }

  Answer<Or<std::unique_ptr<Cursor>>> open_cursor(Request request, Statement statement) override {
    using Opened = std::unique_ptr<Cursor>;
    if (auto checked = check_statement(statement); !checked) {
      return refused<Opened>(std::move(checked).error());
    }
    auto times = file_->options().times;
    auto held =
        hold(request, Access::kReadOnly,
             [statement = std::move(statement)](Session& session, Deadline deadline) mutable {
               return session.open_rows(statement, deadline);
             });
    return std::move(held).then([engine = engine_, times](Or<Hold> hold) -> Or<Opened> {
      if (!hold) return failed(std::move(hold).error());
      return std::make_unique<SqliteCursor>(Held(engine, std::move(hold->session), times),
                                            std::move(hold->rows), SqliteCursor::Owns::kSession);
    });
  }

 private:
  using Rows = std::shared_ptr<OpenRows>;
  struct Hold {
    std::shared_ptr<Session> session;
    Rows rows;
  };

  // Takes a seat, begins a transaction of SQLite's in it, and opens there what `open(session,
  // deadline)` opens.
  template <class Open>
  Answer<Or<Hold>> hold(Request request, Access access, Open open) {
    auto options = file_->options();
    auto deadline = deadline_of(request, options);
    auto reply = std::make_shared<Reply<Hold>>(request.loop);
    auto answer = reply->answer();
    auto role = access == Access::kReadWrite ? Role::kWriter : Role::kReader;
    // The threads outlive the work; the engine is not held by it, see `Held::use`.
    file_->take(
        role, deadline,
        [&threads = engine_->threads(), idle = options.times.idle, access, deadline, reply,
         open = std::move(open)](Or<Seat> seat) mutable {
          std::move(*reply).give(begin_in(std::move(seat), threads, access, idle, deadline, open));
        });
    return answer;
  }

  template <class Open>
  static Or<Hold> begin_in(Or<Seat> seat, sqlite::Threads& threads, Access access,
                           std::chrono::nanoseconds idle, Deadline deadline, Open& open) {
    if (!seat) return failed(std::move(seat).error());
    if (deadline.passed()) return failed(Failure::timeout("the time was up before it began"));
    auto begun = seat->connection().begin(access, deadline);
    if (!begun) return failed(std::move(begun).error());
    auto session = std::make_shared<Session>(*std::move(seat), threads, access, idle);
    static_cast<void>(session->enter());
    auto rows = open(*session, deadline);
    if (!rows) {
      session->finish(Failure::ended("it never was open"));
      return failed(std::move(rows).error());
    }
    session->leave();
    threads.watch.add(session);
    return Hold(std::move(session), *std::move(rows));
  }

  std::shared_ptr<SqliteEngine> engine_;  // Shared with whoever uses the databases.
  std::shared_ptr<File> file_;            // Shared with the other loops.
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::shared_ptr<SqliteEngine> engine, SqliteOptions options)
      : engine_(std::move(engine)), options_(options) {}

  Answer<Or<std::unique_ptr<Database>>> open(Request request, DatabaseName name) override {
    using Opened = std::unique_ptr<Database>;
    if (auto checked = check_database(name); !checked) {
      return refused<Opened>(std::move(checked).error());
    }
    auto reply = std::make_shared<Reply<std::shared_ptr<File>>>(request.loop);
    auto answer = reply->answer();
    engine_->open(name, options_, [reply](Or<std::shared_ptr<File>> file) {
      std::move(*reply).give(std::move(file));
    });
    return std::move(answer).then([engine = engine_](Or<std::shared_ptr<File>> file) -> Or<Opened> {
      if (!file) return failed(std::move(file).error());
      return std::make_unique<SqliteDatabase>(engine, *std::move(file));
    });
  }

 private:
  std::shared_ptr<SqliteEngine> engine_;  // Shared with whoever uses the databases.
  SqliteOptions options_;
};

}  // namespace

std::unique_ptr<Store> sqlite_store(std::shared_ptr<SqliteEngine> engine, SqliteOptions options) {
  return std::make_unique<SqliteStore>(std::move(engine), options);
}

}  // namespace weft::sql
