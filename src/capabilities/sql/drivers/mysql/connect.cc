// How a Connection is made: libmariadb looks up names in the calling thread, so all of it is done
// on one that may block, with times of its own.
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "capabilities/sql/drivers/mysql/connection.h"
#include "io/loop.h"

namespace weft::sql::mysql {
namespace {

using pooled::apart;

// Of one wait for the server while a connection is made.
constexpr unsigned kConnectSeconds = 5;
constexpr unsigned long kRowBytesMax = 2 * kResultBytesMax;

std::string quoted_name(std::string_view name) {
  std::string out = "`";
  for (char c : name) {
    if (c == '`') out += '`';
    out += c;
  }
  return out + '`';
}

// What connecting has come to, on the thread that does it and here.
struct Attempt {
  std::shared_ptr<MYSQL> handle;
  std::optional<Failure> failure;
};

void set_options(MYSQL* handle, const Target& target) {
  my_bool yes = 1;
  unsigned no = 0;
  unsigned seconds = kConnectSeconds;
  for (auto option : {MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT}) {
    mysql_options(handle, option, &seconds);
  }
  mysql_options(handle, MYSQL_OPT_NONBLOCK, nullptr);
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_options(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, &kRowBytesMax);
  // None that hands the password itself to whoever asks.
  mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH,
                "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password");
  if (!target.tls) return;
  mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes);
  mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
  mysql_options(handle, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
  if (!target.authorities.empty()) {
    mysql_options(handle, MYSQL_OPT_SSL_CA, target.authorities.c_str());
  }
}

void attempt(const Target& target, Attempt& made) {
  std::shared_ptr<MYSQL> handle(mysql_init(nullptr), mysql_close);
  if (handle == nullptr) {
    made.failure = Failure::limit("there is no memory for a connection");
    return;
  }
  set_options(handle.get(), target);
  std::string password(target.password.reveal());
  MYSQL* connected =
      mysql_real_connect(handle.get(), target.host.c_str(), target.user.c_str(), password.c_str(),
                         nullptr, target.port, nullptr, CLIENT_FOUND_ROWS);
  explicit_bzero(password.data(), password.size());
  if (connected == nullptr) {
    std::string message = mysql_error(handle.get());
    auto failure = failure_of(mysql_errno(handle.get()), mysql_sqlstate(handle.get()), message);
    // What is not a refusal is a server that cannot be used now.
    bool refused = failure.is<Failure::AccessDenied>();
    made.failure = refused ? std::move(failure) : Failure::unavailable(std::move(message));
    return;
  }
  made.handle = std::move(handle);
}

Failure too_late() {
  return Failure::unavailable("the server did not let a connection in in time");
}

}  // namespace

Wait<Or<std::unique_ptr<Connection>>> Connection::bare(Loop& loop, Pool& helpers,
                                                       std::shared_ptr<const Target> target,
                                                       Deadline deadline) {
  auto made = std::make_shared<Attempt>();
  bool done = co_await apart(loop, helpers, [target, made] { attempt(*target, *made); }, deadline);
  if (!done) co_return failed(too_late());
  if (made->failure) co_return failed(*made->failure);
  std::unique_ptr<Connection> connection(
      new Connection(loop, helpers, std::move(target), std::move(made->handle)));
  co_return connection;
}

Wait<Or<std::unique_ptr<Connection>>> Connection::open(Loop& loop, Pool& helpers,
                                                       std::shared_ptr<const Target> target,
                                                       std::string database, Deadline deadline) {
  auto connection = co_await bare(loop, helpers, std::move(target), deadline);
  if (!connection) co_return connection;
  auto set_up = co_await (*connection)->set_up(std::move(database), deadline);
  if (!set_up) co_return failed(std::move(set_up).error());
  (*connection)->stops_ = true;
  co_return connection;
}

Wait<Or<void>> Connection::set_up(std::string database, Deadline deadline) {
  bool mariadb = mariadb_connection(handle_) != 0;
  std::string_view collation = mariadb ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin";
  auto seconds = [](std::chrono::nanoseconds time) {
    constexpr std::chrono::seconds kMore{5};
    return std::chrono::ceil<std::chrono::seconds>(time + kStopping + kMore).count();
  };
  auto statement = seconds(target_->times.statement);
  auto idle = seconds(target_->times.idle);
  std::vector<std::string> texts = {
      fmt::format("SET NAMES utf8mb4 COLLATE {}", collation),
      fmt::format(
          "SET time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = {}, "
          "lock_wait_timeout = {}, sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,"
          "NO_BACKSLASH_ESCAPES,IGNORE_SPACE,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
          "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'",
          statement, statement)};
  if (mariadb) {
    texts.push_back(
        fmt::format("SET max_recursive_iterations = 4294967295, max_statement_time = {}, "
                    "idle_transaction_timeout = {}",
                    statement, idle));
  }
  for (std::string& each : texts) {
    auto done = co_await say(std::move(each), deadline);
    if (!done) co_return done;
  }
  if (mariadb) {
    // Of MariaDB since 10.6.18; without it what reads and writes locks what it reads.
    auto done = co_await say("SET innodb_snapshot_isolation = ON", deadline);
    if (!done && broken_) co_return done;
    snapshots_ = done.has_value();
  }
  auto use = fmt::format("USE {}", quoted_name(database));
  auto used = co_await say(use, deadline);
  if (used || broken_) co_return used;
  // To make what is there takes a right that a user may not have.
  auto made = co_await say(fmt::format("CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4 "
                                       "COLLATE {}",
                                       quoted_name(database), collation),
                           deadline);
  if (!made) co_return made;
  co_return co_await say(use, deadline);
}

}  // namespace weft::sql::mysql
