#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/record_gate.h"

namespace weft::provider {

struct ChildOptions {
  std::vector<std::string> command;
  std::string folder;  // Where it runs; empty: here.
  // Beside the environment of this process, less what is withheld.
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> withheld = {};
};

// A process of a provider: the head of a process group of its own, without input, killed by the
// system when the thread that made it ends.
//
// Owned by the supervisor, on whose thread it is made and destroyed. Destroying it kills the group
// and waits for the process.
class Child {
 public:
  static Result<Child> spawn(const ChildOptions& options);
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        pidfd_(std::move(other.pidfd_)),
        output_(std::move(other.output_)) {}
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  // Readable when it has ended.
  int pidfd() const { return pidfd_.get(); }
  // What it prints, both streams; not blocking.
  int output() const { return output_.get(); }

  void signal_group(int number) const;
  // Kills what is left of the group, takes the end of a process that has ended or is killed here,
  // and says what it was: "ended with exit code 3".
  std::string finish();

 private:
  Child(pid_t pid, Fd pidfd, Fd output)
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)) {}

  pid_t pid_;  // 0 once its end was taken.
  Fd pidfd_;
  Fd output_;
};

// Makes log lines of what a process prints.
class OutputLines {
 public:
  // A longer line is cut.
  static constexpr std::size_t kLineMax = 4 * 1024;

  OutputLines(std::string app, std::string name);

  // Reads what is there. False when there will be nothing more.
  bool read(int fd);
  // What came without a newline is a line as well.
  void end();
  // The last line that it printed, to say why it did not start.
  const std::string& last() const { return last_; }

 private:
  void take(std::string_view text);
  void line();

  const std::string app_;
  const std::string name_;
  RecordGate gate_;
  std::string line_;
  std::string last_;
};

}  // namespace weft::provider
