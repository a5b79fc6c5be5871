#include "capabilities/sql/drivers/pooled/backend.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string>

#include "capabilities/shared_by.h"
#include "capabilities/sql/drivers/pooled/cursor.h"
#include "capabilities/sql/settings.h"
#include "io/loop.h"
#include "remote/health.h"

namespace weft::sql::pooled {
namespace {

template <class T>
Answer<Or<T>> refused(Failure failure) {
  return Answer<Or<T>>(Or<T>(failed(std::move(failure))));
}

template <class T>
Task<void> give(Promise<Or<T>> promise, Wait<Or<T>> work, Loop* loop) {
  auto outcome = co_await std::move(work);
  // A socket or a timer has called: what the caller defers runs as this turn ends.
  Loop::Turn turn(*loop);
  std::move(promise).fulfil(std::move(outcome));
  co_return Result<void>();
}

// Runs the work on its loop to its own end: a caller that goes does not break it off in the middle
// of a server's answer.
template <class T>
Answer<Or<T>> start(Loop& loop, Wait<Or<T>> work) {
  Promise<Or<T>> promise;
  auto answer = promise.answer();
  loop.spawn(give<T>(std::move(promise), std::move(work), &loop));
  return answer;
}

Deadline deadline_of(Request request, Times times) {
  return earlier(
      request.deadline,
      Deadline::after(std::chrono::duration_cast<Deadline::Clock::duration>(times.statement)));
}

// One use of a session that was entered: what fails in it ends it.
template <class T>
Wait<Or<T>> in_use(std::shared_ptr<Session> session, Wait<Or<T>> work) {
  auto outcome = co_await std::move(work);
  if (outcome) {
    co_await session->leave();
  } else {
    co_await session->finish(Failure::ended("a statement failed: " + to_text(outcome.error())));
  }
  co_return outcome;
}

class PooledCursor final : public Cursor {
 public:
  // Whether the session is the cursor's own, or that of a transaction.
  enum class Owns : std::uint8_t { kSession, kRows };

  PooledCursor(std::shared_ptr<Session> session, std::shared_ptr<Fetched> fetched, Owns owns)
      : session_(std::move(session)), fetched_(std::move(fetched)), owns_(owns) {}
  ~PooledCursor() override {
    if (owns_ == Owns::kSession) {
      session_->end(Failure::ended("the cursor was closed"));
    } else {
      session_->drop_cursor(fetched_->number);
    }
  }

  const std::vector<Column>& columns() const override { return fetched_->columns; }
  Answer<Or<std::vector<Row>>> next(Request request, std::uint32_t max) override {
    auto entered = session_->enter();
    if (!entered) return refused<std::vector<Row>>(std::move(entered).error());
    auto deadline = deadline_of(request, session_->times());
    return start(request.loop, in_use(session_, next_in(*session_, fetched_, max, deadline)));
  }

 private:
  std::shared_ptr<Session> session_;  // Shared with the work in it.
  std::shared_ptr<Fetched> fetched_;  // The same.
  Owns owns_;
};

class PooledTransaction final : public Transaction {
 public:
  explicit PooledTransaction(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  ~PooledTransaction() override {
    session_->end(Failure::ended("the transaction was dropped: it was rolled back"));
  }

  Answer<Or<Outcome>> run(Request request, Statement statement, Wanted wanted) override {
    auto entered = session_->enter();
    if (!entered) return refused<Outcome>(std::move(entered).error());
    return start(request.loop, in_use(session_, run_in(session_, std::move(statement), wanted,
                                                       deadline_of(request, session_->times()))));
  }

  Answer<Or<std::unique_ptr<Cursor>>> open_cursor(Request request, Statement statement) override {
    using Opened = std::unique_ptr<Cursor>;
    auto entered = session_->enter();
    if (!entered) return refused<Opened>(std::move(entered).error());
    return start(request.loop,
                 in_use(session_, cursor_in(session_, std::move(statement),
                                            deadline_of(request, session_->times()))));
  }

  Answer<Or<void>> commit(Request request) override { return end(request, End::kCommit); }
  Answer<Or<void>> rollback(Request request) override { return end(request, End::kRollback); }

 private:
  enum class End : std::uint8_t { kCommit, kRollback };

  Answer<Or<void>> end(Request request, End how) {
    auto entered = session_->enter();
    if (!entered) return refused<void>(std::move(entered).error());
    return start(request.loop, end_in(session_, how, deadline_of(request, session_->times())));
  }

  static Wait<Or<Outcome>> run_in(std::shared_ptr<Session> session, Statement statement,
                                  Wanted wanted, Deadline deadline) {
    auto ready = session->system().ready(std::move(statement));
    if (!ready) co_return failed(std::move(ready).error());
    co_return co_await session->connection().run(*ready, wanted, {}, deadline);
  }
  static Wait<Or<std::unique_ptr<Cursor>>> cursor_in(std::shared_ptr<Session> session,
                                                     Statement statement, Deadline deadline) {
    auto ready = session->system().ready(std::move(statement));
    if (!ready) co_return failed(std::move(ready).error());
    auto fetched = co_await open_in(*session, *std::move(ready), deadline);
    if (!fetched) co_return failed(std::move(fetched).error());
    co_return std::make_unique<PooledCursor>(session, *std::move(fetched),
                                             PooledCursor::Owns::kRows);
  }
  static Wait<Or<void>> end_in(std::shared_ptr<Session> session, End how, Deadline deadline) {
    auto& connection = session->connection();
    auto done = how == End::kCommit ? co_await connection.commit(deadline)
                                    : co_await connection.rollback(deadline);
    auto told = !done                 ? Failure::ended("it failed: " + to_text(done.error()))
                : how == End::kCommit ? Failure::ended("the transaction was committed")
                                      : Failure::ended("the transaction was rolled back");
    co_await session->finish(std::move(told));
    co_return done;
  }

  std::shared_ptr<Session> session_;  // Shared with its work and its cursors.
};

class PooledDatabase final : public Database {
 public:
  PooledDatabase(std::shared_ptr<Connections> pool, Times times)
      : pool_(std::move(pool)), times_(times) {}

  Answer<Or<Outcome>> run(Request request, Statement statement, Wanted wanted) override {
    auto ready = pool_->system().ready(std::move(statement));
    if (!ready) return refused<Outcome>(std::move(ready).error());
    return start(request.loop,
                 run_once(pool_, *std::move(ready), wanted, deadline_of(request, times_)));
  }
  Answer<Or<std::unique_ptr<Transaction>>> begin(Request request,
                                                 TransactionOptions options) override {
    return start(request.loop, begin_once(pool_, times_, options, deadline_of(request, times_)));
  }
  Answer<Or<std::unique_ptr<Cursor>>> open_cursor(Request request, Statement statement) override {
    auto ready = pool_->system().ready(std::move(statement));
    if (!ready) return refused<std::unique_ptr<Cursor>>(std::move(ready).error());
    return start(request.loop,
                 open_once(pool_, times_, *std::move(ready), deadline_of(request, times_)));
  }

 private:
  static Wait<Or<Outcome>> run_once(std::shared_ptr<Connections> pool, Ready statement,
                                    Wanted wanted, Deadline deadline) {
    auto lease = co_await pool->take(deadline);
    if (!lease) co_return failed(std::move(lease).error());
    co_return co_await (*lease)->run(statement, wanted, {}, deadline);
  }
  // The session in its first use.
  static Wait<Or<std::shared_ptr<Session>>> begun(std::shared_ptr<Connections> pool, Times times,
                                                  TransactionOptions options, Deadline deadline) {
    auto session = std::make_shared<Session>(std::move(pool), times);
    auto begun = co_await session->begin(options, deadline);
    if (begun) co_return session;
    co_await session->finish(Failure::ended("it never began"));
    co_return failed(std::move(begun).error());
  }
  static Wait<Or<std::unique_ptr<Transaction>>> begin_once(std::shared_ptr<Connections> pool,
                                                           Times times, TransactionOptions options,
                                                           Deadline deadline) {
    auto session = co_await begun(std::move(pool), times, options, deadline);
    if (!session) co_return failed(std::move(session).error());
    co_await (*session)->leave();
    co_return std::make_unique<PooledTransaction>(*std::move(session));
  }
  static Wait<Or<std::unique_ptr<Cursor>>> open_once(std::shared_ptr<Connections> pool, Times times,
                                                     Ready statement, Deadline deadline) {
    TransactionOptions reading{Isolation::kReadCommitted, Access::kReadOnly};
    auto session = co_await begun(std::move(pool), times, reading, deadline);
    if (!session) co_return failed(std::move(session).error());
    auto fetched = co_await in_use(*session, open_in(**session, std::move(statement), deadline));
    if (!fetched) co_return failed(std::move(fetched).error());
    co_return std::make_unique<PooledCursor>(*std::move(session), *std::move(fetched),
                                             PooledCursor::Owns::kSession);
  }

  std::shared_ptr<Connections> pool_;  // Shared with the loop's other databases of that place.
  Times times_;
};

// The pools of one loop by place, shared by its stores and gone with the last of them.
using LoopPools = std::map<std::string, std::shared_ptr<Connections>>;

class PooledStore final : public Store {
 public:
  PooledStore(Loop& loop, std::shared_ptr<const System> system, Options options,
              std::shared_ptr<LoopPools> pools)
      : loop_(loop), system_(std::move(system)), options_(options), pools_(std::move(pools)) {}

  // Names are those that an operator wrote, so there are no more pools than that.
  Answer<Or<std::unique_ptr<Database>>> open(Request, DatabaseName name) override {
    using Opened = Or<std::unique_ptr<Database>>;
    if (auto checked = check_database(name); !checked) {
      return Opened(failed(std::move(checked).error()));
    }
    std::string place = system_->place(name);
    auto& pool = (*pools_)[place];
    if (pool == nullptr) {
      pool = std::make_shared<Connections>(loop_, system_, place, options_.connections);
    }
    return Opened(std::make_unique<PooledDatabase>(pool, options_.times));
  }

 private:
  Loop& loop_;
  std::shared_ptr<const System> system_;  // Shared with the pools, which may outlive the store.
  Options options_;
  std::shared_ptr<LoopPools> pools_;  // Shared with the loop's other stores.
};

Result<void> as_result(const Or<void>& outcome) {
  if (outcome) return {};
  const Failure& why = outcome.error();
  auto code = why.is<Failure::AccessDenied>()  ? Errc::kDenied
              : why.is<Failure::Timeout>()     ? Errc::kTimeout
              : why.is<Failure::Unavailable>() ? Errc::kUnavailable
                                               : Errc::kInternal;
  return failure(code, to_text(why));
}

Task<void> reach_now(std::shared_ptr<const System> system, Loop* loop, Deadline deadline,
                     DriverBackend::Reached done) {
  auto reached = co_await system->reach(*loop, deadline);
  reached ? system->health()->up() : system->health()->down();
  Loop::Turn turn(*loop);
  done(as_result(reached));
  co_return Result<void>();
}

class PooledBackend final : public Backend {
 public:
  PooledBackend(std::shared_ptr<const System> system, std::shared_ptr<Pool> helpers,
                Options options)
      : system_(std::move(system)), helpers_(std::move(helpers)), options_(options) {}
  ~PooledBackend() override { helpers_->stop(); }

  // A server that is away is no reason not to start.
  Result<void> open() override { return {}; }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    loop.spawn(reach_now(system_, &loop, deadline, std::move(done)));
  }
  std::shared_ptr<const remote::Health> health() const override { return system_->health(); }
  std::unique_ptr<Store> store(Loop& loop) override {
    auto pools = pools_.get(&loop, [] { return std::make_shared<LoopPools>(); });
    return std::make_unique<PooledStore>(loop, system_, options_, std::move(pools));
  }

 private:
  const std::shared_ptr<const System> system_;  // Shared with the stores and their pools.
  const std::shared_ptr<Pool> helpers_;         // Shared with the system.
  const Options options_;
  PerLoop<LoopPools> pools_;
};

}  // namespace

Result<Options> read_options(const DriverChoice& choice) {
  Options options;
  TRY(options.times, times_of(choice));
  const Secret* text = choice.find("connections");
  if (text == nullptr) return options;
  constexpr std::size_t kMost = 1000;
  std::string_view all = text->reveal();
  const char* end = all.data() + all.size();
  auto [stop, problem] = std::from_chars(all.data(), end, options.connections);
  bool whole = problem == std::errc() && stop == end;
  if (whole && options.connections > 0 && options.connections <= kMost) return options;
  return failure(Errc::kInvalid,
                 fmt::format("connections is no number from 1 to {}: write \"8\"", kMost));
}

std::unique_ptr<Backend> backend(std::shared_ptr<const System> system,
                                 std::shared_ptr<Pool> helpers, Options options) {
  return std::make_unique<PooledBackend>(std::move(system), std::move(helpers), options);
}

}  // namespace weft::sql::pooled
