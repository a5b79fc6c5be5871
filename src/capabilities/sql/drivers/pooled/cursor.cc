#include "capabilities/sql/drivers/pooled/cursor.h"

#include <algorithm>

namespace weft::sql::pooled {
namespace {

// Of one step at the server.
constexpr std::size_t kStepRowsMax = 512;

std::size_t size_of_row(const Row& row) {
  std::size_t bytes = 0;
  for (const Value& value : row) bytes += size_of(value);
  return bytes;
}

Wait<Or<void>> fetch_more(Session& session, Fetched& fetched, std::size_t count,
                          Deadline deadline) {
  auto got = co_await session.connection().fetch(fetched.number, count, deadline);
  if (!got) co_return failed(std::move(got).error());
  fetched.step = count;
  fetched.done = got->rows.size() < count;
  if (fetched.columns.empty()) fetched.columns = std::move(got->columns);
  for (Row& row : got->rows) {
    fetched.row_bytes = std::max(fetched.row_bytes, size_of_row(row));
    fetched.rows.push_back(std::move(row));
  }
  co_return Or<void>();
}

}  // namespace

Wait<Or<std::shared_ptr<Fetched>>> open_in(Session& session, Ready statement, Deadline deadline) {
  // No more are open at the server than the guest holds.
  auto closed = co_await session.close_dropped(deadline);
  if (!closed) co_return failed(std::move(closed).error());
  auto fetched = std::make_shared<Fetched>(session.next_cursor());
  auto opened = co_await session.connection().open_cursor(fetched->number, statement, deadline);
  if (!opened) co_return failed(std::move(opened).error());
  auto first = co_await fetch_more(session, *fetched, 1, deadline);
  if (!first) co_return failed(std::move(first).error());
  co_return fetched;
}

Wait<Or<std::vector<Row>>> next_in(Session& session, std::shared_ptr<Fetched> fetched,
                                   std::uint32_t max, Deadline deadline) {
  std::size_t wanted = std::min<std::size_t>(max, kFetchRowsMax);
  std::vector<Row> answer;
  std::size_t bytes = 0;
  while (answer.size() < wanted && bytes < kFetchBytesMax) {
    if (fetched->rows.empty() && fetched->done) break;
    if (fetched->rows.empty()) {
      // No more than is sure to be handed out, by what rows have weighed so far.
      std::size_t room =
          (kFetchBytesMax - bytes) / (4 * std::max<std::size_t>(fetched->row_bytes, 16));
      std::size_t most = std::min({room, wanted - answer.size(), 4 * fetched->step, kStepRowsMax});
      auto more = co_await fetch_more(session, *fetched, std::max<std::size_t>(most, 1), deadline);
      if (!more) co_return failed(std::move(more).error());
      continue;
    }
    auto full = [&] { return answer.size() == wanted || bytes >= kFetchBytesMax; };
    auto row = fetched->rows.begin();
    for (; row != fetched->rows.end() && !full(); ++row) {
      bytes += size_of_row(*row);
      answer.push_back(std::move(*row));
    }
    fetched->rows.erase(fetched->rows.begin(), row);
  }
  co_return answer;
}

}  // namespace weft::sql::pooled
