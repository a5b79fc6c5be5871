// Sells seats, one to one: who sells a seat holds its lock meanwhile, and the table refuses what
// comes of a lock that was lost.

#include <chrono>
#include <cstdlib>
#include <string>

#include "weft/clock.h"
#include "weft/http.h"
#include "weft/lock.h"
#include "weft/sql.h"

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The fence. A holder that was paused beyond its lock's time to live does not know yet that
// somebody else has it; its token is the smaller one, and the statement that writes compares them.
weft::sql::Result<bool> sell(std::int64_t seat, const std::string& name, std::int64_t token) {
  auto hall = weft::sql::open("hall");
  if (!hall) return std::unexpected(hall.error());
  auto table = hall->execute(
      "CREATE TABLE IF NOT EXISTS seats (seat BIGINT PRIMARY KEY, name TEXT, token BIGINT)");
  if (!table) return std::unexpected(table.error());
  auto rows = hall->execute(
      "INSERT INTO seats (seat, name, token) VALUES (?, ?, ?) ON CONFLICT (seat) DO UPDATE SET "
      "name = excluded.name, token = excluded.token WHERE seats.token <= excluded.token",
      {seat, name, token});
  if (!rows) return std::unexpected(rows.error());
  return *rows == 1;
}

}  // namespace

// POST /?seat=12&name=Ann; &think=5000 is how long Ann thinks about it, in milliseconds.
weft::Task<> weft::http::handle(Request request) {
  auto number = [&](const char* name) {
    return std::strtoll(request.parameter(name).value_or("0").c_str(), nullptr, 10);
  };
  std::string name = request.parameter("name").value_or("nobody");
  auto guard =
      co_await lock::acquire("seats/" + std::to_string(number("seat")), seconds(2), seconds(10));
  if (!guard) co_return co_await reply(503, guard.error().message + "\n");
  auto token = static_cast<std::int64_t>(guard->token());
  co_await sleep_for(milliseconds(number("think")));
  auto sold = sell(number("seat"), name, token);
  if (!sold) co_return co_await reply(500, sold.error().message + "\n");
  co_await reply(*sold ? 200 : 409, *sold ? "sold to " + name + "\n"
                                          : "too late, " + name + ": somebody else has it\n");
}
