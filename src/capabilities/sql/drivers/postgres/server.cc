#include "capabilities/sql/drivers/postgres/server.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "base/check.h"
#include "capabilities/sql/drivers/pooled/child.h"
#include "remote/testing/real_server.h"

namespace weft::sql::postgres {
namespace {

constexpr std::string_view kPrograms = "/usr/lib/postgresql/15/bin/";

}  // namespace

bool PostgresServer::available() {
  return access(fmt::format("{}postgres", kPrograms).c_str(), X_OK) == 0;
}

std::string PostgresServer::url() const {
  return url("weft");
}

std::string PostgresServer::url(const std::string& user) const {
  return fmt::format("postgresql:///postgres?host={}&port={}&user={}", folder_.path().string(),
                     port_, user);
}

std::string PostgresServer::tcp_url(std::uint16_t port, const std::string& user) const {
  return fmt::format("postgresql://{}@127.0.0.1:{}/postgres", user, port);
}

std::string PostgresServer::certificate() const {
  return (folder_.path() / "server.crt").string();
}

void PostgresServer::guard(const std::string& password) {
  PGconn* connection = PQconnectdb(url().c_str());
  auto* result =
      PQexec(connection, fmt::format("CREATE ROLE guarded LOGIN PASSWORD '{}'", password).c_str());
  CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
  PQclear(result);
  PQfinish(connection);
}

PostgresServer::PostgresServer() : port_(remote::free_port()) {}

Result<std::unique_ptr<PostgresServer>> PostgresServer::start() {
  std::unique_ptr<PostgresServer> server(new PostgresServer());
  const auto& folder = server->folder_.path();
  if (const passwd* user = pooled::other_user()) {
    CHECK(chown(folder.c_str(), user->pw_uid, user->pw_gid) == 0);
  }
  auto log = (folder / "init.log").string();
  auto data = (folder / "data").string();
  TRY_VOID(pooled::finish({fmt::format("{}initdb", kPrograms), "-D", data, "-U", "weft", "-A",
                           "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
                          log));
  TRY_VOID(pooled::finish({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=weft", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout",
                           (folder / "server.key").string(), "-out", server->certificate()},
                          log));
  std::ofstream(data + "/pg_hba.conf") << "local all all trust\n"
                                          "host all guarded 127.0.0.1/32 scram-sha-256\n"
                                          "host all all 127.0.0.1/32 trust\n";
  TRY_VOID(server->run());
  return server;
}

Result<void> PostgresServer::run() {
  const auto& folder = folder_.path();
  auto log = (folder / "postgres.log").string();
  process_ = pooled::spawn({fmt::format("{}postgres", kPrograms),
                            "-D",
                            (folder / "data").string(),
                            "-k",
                            folder.string(),
                            "-c",
                            "listen_addresses=127.0.0.1",
                            "-c",
                            fmt::format("port={}", port_),
                            "-c",
                            "fsync=off",
                            "-c",
                            "max_connections=300",
                            "-c",
                            "shared_buffers=32MB",
                            "-c",
                            "ssl=on",
                            "-c",
                            "ssl_cert_file=" + certificate(),
                            "-c",
                            "ssl_key_file=" + (folder / "server.key").string()},
                           log);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (PQping(url().c_str()) != PQPING_OK) {
    int status = 0;
    bool gone = waitpid(process_, &status, WNOHANG) == process_;
    if (gone) process_ = -1;
    if (gone || std::chrono::steady_clock::now() > deadline) {
      return failure(Errc::kUnavailable, "postgres does not start: " + pooled::text_of(log));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

void PostgresServer::stop() {
  pooled::end(process_, SIGQUIT);
}

void PostgresServer::signal_all(int number) {
  kill(process_, number);
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", process_));
  for (pid_t child = 0; children >> child;) kill(child, number);
}

Result<void> PostgresServer::restart() {
  stop();
  return run();
}

PostgresServer& shared_postgres() {
  static std::unique_ptr<PostgresServer> server = [] {
    auto started = PostgresServer::start();
    if (!started) fmt::print(stderr, "{}\n", started.error().message());
    CHECK(started.has_value());
    return *std::move(started);
  }();
  return *server;
}

PostgresServer::~PostgresServer() {
  stop();
}

}  // namespace weft::sql::postgres
