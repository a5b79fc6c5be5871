#include "capabilities/sql/drivers/mysql/server.h"

#include <fmt/format.h>
#include <mysql.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/check.h"
#include "capabilities/sql/drivers/pooled/child.h"
#include "remote/testing/real_server.h"

namespace weft::sql::mysql {
namespace {

constexpr const char* kServer = "/usr/sbin/mariadbd";
constexpr const char* kInstall = "/usr/bin/mariadb-install-db";

}  // namespace

MariadbServer::MariadbServer() : port_(remote::free_port()) {}

MariadbServer::~MariadbServer() {
  stop();
}

void MariadbServer::stop() {
  pooled::end(process_, SIGKILL);
}

bool MariadbServer::available() {
#if __has_feature(thread_sanitizer)
  // libmariadb changes stacks by itself, which the thread sanitizer cannot follow.
  return false;
#endif
  return access(kServer, X_OK) == 0 && access(kInstall, X_OK) == 0;
}

std::string MariadbServer::certificate() const {
  return path("server.crt");
}

Result<std::unique_ptr<MariadbServer>> MariadbServer::start() {
  std::unique_ptr<MariadbServer> server(new MariadbServer());
  if (const passwd* user = pooled::other_user()) {
    CHECK(chown(server->folder_.path().string().c_str(), user->pw_uid, user->pw_gid) == 0);
  }
  auto log = server->path("init.log");
  TRY_VOID(pooled::finish(
      {kInstall, "--no-defaults", "--datadir=" + server->path("data"),
       // A server that starts removes the temporary tables it finds, those of others as well.
       "--tmpdir=" + server->folder_.path().string(), "--auth-root-authentication-method=normal",
       "--skip-test-db", "--skip-name-resolve"},
      log));
  TRY_VOID(pooled::finish({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
                           "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                           server->path("server.key"), "-out", server->certificate()},
                          log));
  TRY_VOID(server->run());
  TRY_VOID(server->make_users());
  return server;
}

Result<void> MariadbServer::run() {
  auto log = path("mariadb.log");
  // What is committed is the kernel's before it is answered, and outlives the process.
  process_ = pooled::spawn(
      {kServer, "--no-defaults", "--datadir=" + path("data"), "--socket=" + path("s"),
       "--pid-file=" + path("pid"), fmt::format("--port={}", port_), "--bind-address=127.0.0.1",
       "--skip-name-resolve", "--max-connections=400", "--innodb-flush-log-at-trx-commit=2",
       "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M", "--tmpdir=" + path("data"),
       "--max-allowed-packet=64M", "--ssl-cert=" + certificate(),
       "--ssl-key=" + path("server.key")},
      log);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (;;) {
    std::unique_ptr<MYSQL, void (*)(MYSQL*)> probe(mysql_init(nullptr), mysql_close);
    if (mysql_real_connect(probe.get(), nullptr, "root", "", nullptr, 0, path("s").c_str(), 0)) {
      return {};
    }
    int status = 0;
    bool gone = waitpid(process_, &status, WNOHANG) == process_;
    if (gone) process_ = -1;
    if (gone || std::chrono::steady_clock::now() > deadline) {
      return failure(Errc::kUnavailable, "mariadbd does not start: " + pooled::text_of(log));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<void> MariadbServer::make_users() {
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> root(mysql_init(nullptr), mysql_close);
  CHECK(mysql_real_connect(root.get(), nullptr, "root", "", nullptr, 0, path("s").c_str(), 0));
  for (const char* text : {"CREATE USER weft@'127.0.0.1'", "GRANT ALL ON *.* TO weft@'127.0.0.1'",
                           "CREATE USER guarded@'127.0.0.1' IDENTIFIED BY 'hush-hush'",
                           "GRANT ALL ON *.* TO guarded@'127.0.0.1'"}) {
    if (mysql_query(root.get(), text) != 0) {
      return failure(Errc::kUnavailable, fmt::format("{}: {}", text, mysql_error(root.get())));
    }
  }
  return {};
}

Result<void> MariadbServer::restart() {
  stop();
  return run();
}

MariadbServer& shared_mariadb() {
  static std::unique_ptr<MariadbServer> server = [] {
    auto started = MariadbServer::start();
    if (!started) fmt::print(stderr, "{}\n", started.error().message());
    CHECK(started.has_value());
    return *std::move(started);
  }();
  return *server;
}

}  // namespace weft::sql::mysql
