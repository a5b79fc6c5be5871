#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "capabilities/sql/drivers/pooled/session.h"

namespace weft::sql::pooled {

// What a cursor has read and not handed out, and what it knows of the rest.
struct Fetched {
  CursorNumber number = 0;
  std::vector<Column> columns = {};
  std::vector<Row> rows = {};
  std::size_t row_bytes = 0;  // Of the largest row so far.
  std::size_t step = 1;       // Rows that were asked for last.
  bool done = false;
};

// Both inside of a use of the session, which outlives them.
Wait<Or<std::shared_ptr<Fetched>>> open_in(Session& session, Ready statement, Deadline deadline);
Wait<Or<std::vector<Row>>> next_in(Session& session, std::shared_ptr<Fetched> fetched,
                                   std::uint32_t max, Deadline deadline);

}  // namespace weft::sql::pooled
