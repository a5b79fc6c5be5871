// weft_postgres_bench URL COUNT: reads one row of the table `bench` by its key COUNT times with
// plain libpq, a statement that was prepared once, each after the answer to the last one: what a
// query of a guest is compared with. Prints the p50 and the mean in nanoseconds as JSON.

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRows = 1000;

int fail(PGconn* connection) {
  fmt::print(stderr, "postgres_bench: {}\n", PQerrorMessage(connection));
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "usage: URL COUNT\n");
    return 1;
  }
  PGconn* connection = PQconnectdb(arguments[1]);
  PGresult* prepared =
      PQprepare(connection, "one", "SELECT v FROM bench WHERE id = $1::bigint", 1, nullptr);
  if (PQresultStatus(prepared) != PGRES_COMMAND_OK) return fail(connection);
  PQclear(prepared);
  std::vector<double> times;
  int rounds = std::max(1, std::atoi(arguments[2]));
  for (int i = 0; i < rounds; ++i) {
    auto start = Clock::now();
    std::string key = std::to_string(i % kRows);
    const char* value = key.c_str();
    PGresult* found = PQexecPrepared(connection, "one", 1, &value, nullptr, nullptr, 0);
    if (PQntuples(found) != 1) return fail(connection);
    std::string text = PQgetvalue(found, 0, 0);
    PQclear(found);
    times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  double sum = 0;
  for (double each : times) sum += each;
  std::ranges::sort(times);
  fmt::print("{{\"p50\": {:.0f}, \"mean\": {:.0f}}}\n", times[times.size() / 2],
             sum / static_cast<double>(times.size()));
  PQfinish(connection);
  return 0;
}
