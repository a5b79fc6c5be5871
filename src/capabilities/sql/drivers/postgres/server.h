#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "capabilities/test_folder.h"

namespace weft::sql::postgres {

// A PostgreSQL of a test's own, in a folder of its own, reached by a socket in it and on a port of
// 127.0.0.1. The role `guarded` has to give the password that `guard` was told. Stopped with the
// object, and with the test's process however that ends.
class PostgresServer {
 public:
  // Whether one is installed.
  static bool available();
  static Result<std::unique_ptr<PostgresServer>> start();
  PostgresServer(const PostgresServer&) = delete;
  ~PostgresServer();

  // As the owner of everything.
  std::string url() const;
  std::string url(const std::string& user) const;
  // By TCP, on its port or on another's that leads to it.
  std::string tcp_url(std::uint16_t port, const std::string& user = "weft") const;
  std::uint16_t port() const { return port_; }
  // Makes the role `guarded` with that password.
  void guard(const std::string& password);
  // The certificate that it shows on its port, made by itself for 127.0.0.1.
  std::string certificate() const;

  // Stops it at once, as a crash does; starts it again on the same data.
  void stop();
  Result<void> run();
  Result<void> restart();
  // It and the processes of its connections are there, but do nothing.
  void freeze() { signal_all(SIGSTOP); }
  void thaw() { signal_all(SIGCONT); }

 private:
  PostgresServer();
  void signal_all(int number);

  TestFolder folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

// One for all tests of a program: started when the first asks, stopped when the program ends.
PostgresServer& shared_postgres();

}  // namespace weft::sql::postgres
