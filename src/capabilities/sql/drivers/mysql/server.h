#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "capabilities/test_folder.h"

namespace weft::sql::mysql {

// A MariaDB of a test's own, in a folder of its own, on a port of 127.0.0.1. The user `weft` may do
// everything and has no password, `guarded` has "hush-hush". Stopped with the object, and with the
// test's process however that ends.
class MariadbServer {
 public:
  // Whether one is installed.
  static bool available();
  static Result<std::unique_ptr<MariadbServer>> start();
  MariadbServer(const MariadbServer&) = delete;
  ~MariadbServer();

  std::uint16_t port() const { return port_; }
  // The certificate that it shows, made by itself for 127.0.0.1.
  std::string certificate() const;
  // Stops it at once, as a crash does; starts it again on the same data.
  void stop();
  Result<void> run();
  Result<void> restart();
  // It is there, but does nothing.
  void freeze() { kill(process_, SIGSTOP); }
  void thaw() { kill(process_, SIGCONT); }

 private:
  MariadbServer();
  Result<void> make_users();
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  TestFolder folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

// One for all tests of a program: started when the first asks, stopped when the program ends.
MariadbServer& shared_mariadb();

}  // namespace weft::sql::mysql
