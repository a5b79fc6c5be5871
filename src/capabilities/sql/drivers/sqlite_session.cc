#include "capabilities/sql/drivers/sqlite_session.h"

#include <algorithm>
#include <utility>

namespace weft::sql::sqlite {

Or<void> Session::enter() {
  std::lock_guard lock(mutex_);
  if (ended_) return failed(*ended_);
  if (busy_) return failed(Failure::busy("another call uses it: one at a time"));
  busy_ = true;
  return {};
}

void Session::leave() {
  {
    std::lock_guard lock(mutex_);
    for (auto& each : dropped_) {
      each->prepared.reset();
      std::erase(rows_, each);
    }
    dropped_.clear();
    if (!ended_) {
      busy_ = false;
      used_ = Deadline::Clock::now();
      return;
    }
  }
  close();
}

void Session::finish(Failure why) {
  {
    std::lock_guard lock(mutex_);
    if (!ended_) ended_ = std::move(why);
  }
  close();
}

void Session::end(Failure why) {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = std::move(why);
    if (busy_) return;
    busy_ = true;
  }
  auto submitted = threads_.pool.submit([self = shared_from_this()] { self->close(); });
  if (!submitted) close();
}

// By whoever has the use.
void Session::close() {
  if (!seat_) return;
  for (auto& each : rows_) each->prepared.reset();
  rows_.clear();
  seat_.connection().rollback();
  seat_ = Seat();
}

bool Session::look(Deadline::Clock::time_point now) {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return false;
    if (busy_ || now < used_ + idle_) return true;
  }
  // A use that begins in between is ended after it.
  end(Failure::ended("nobody used it for too long"));
  return false;
}

Or<std::shared_ptr<OpenRows>> Session::open_rows(Statement& statement, Deadline deadline) {
  auto prepared = connection().prepare(statement.text);
  if (!prepared) return failed(std::move(prepared).error());
  if (!prepared->reads_only()) {
    return failed(Failure::invalid_sql("a cursor is for reading: query gives the rows of others"));
  }
  auto rows = std::make_shared<OpenRows>();
  rows->prepared.emplace(*std::move(prepared));
  rows->parameters = std::move(statement.parameters);
  auto bound = bind_values(rows->prepared->get(), rows->parameters);
  if (!bound) return failed(std::move(bound).error());
  // The first step compiles the statement anew where the schema has changed: then its columns are
  // known.
  auto first =
      connection().fetch(*rows->prepared, rows->reader, 1, kFetchBytesMax, rows->done, deadline);
  if (!first) return failed(std::move(first).error());
  rows->first = *std::move(first);
  rows_.push_back(rows);
  return rows;
}

Or<std::vector<Row>> Session::fetch(OpenRows& rows, std::uint32_t max, Deadline deadline) {
  std::size_t wanted = std::min<std::size_t>(max, kFetchRowsMax);
  if (wanted == 0) return std::vector<Row>();
  std::vector<Row> answer = std::exchange(rows.first, {});
  std::size_t bytes = 0;
  for (const Row& row : answer) {
    for (const Value& value : row) bytes += size_of(value);
  }
  if (answer.size() == wanted || bytes >= kFetchBytesMax) return answer;
  auto more = connection().fetch(*rows.prepared, rows.reader, wanted - answer.size(),
                                 kFetchBytesMax - bytes, rows.done, deadline);
  if (!more) return failed(std::move(more).error());
  if (answer.empty()) return more;
  std::ranges::move(*more, std::back_inserter(answer));
  return answer;
}

void Session::drop_rows(std::shared_ptr<OpenRows> rows) {
  std::lock_guard lock(mutex_);
  dropped_.push_back(std::move(rows));
}

}  // namespace weft::sql::sqlite
