#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace weft::remote::kafka {

// librdkafka's mock of a cluster as a child process: no Kafka, see the README. For tests.
class Mock {
 public:
  Mock();
  ~Mock();
  Mock(const Mock&) = delete;

  std::uint16_t port() const { return port_; }
  std::string servers() const;
  // A line of mock_main.cc; waits until it is done.
  void tell(const std::string& line);
  // Connections are broken and refused. What it has it keeps.
  void down() { tell("down"); }
  void up() { tell("up"); }
  // It runs, but does nothing.
  void freeze();
  void thaw();

 private:
  std::string read_line();

  pid_t pid_ = 0;
  FILE* in_ = nullptr;   // What it says.
  FILE* out_ = nullptr;  // What it is told.
  std::uint16_t port_ = 0;
};

// One for all tests of a process.
Mock& shared_mock();

}  // namespace weft::remote::kafka
