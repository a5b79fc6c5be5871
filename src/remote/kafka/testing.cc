#include "remote/kafka/testing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/check.h"

extern char** environ;

namespace weft::remote::kafka {

Mock::Mock() {
  std::array<int, 2> told{};
  std::array<int, 2> says{};
  CHECK(pipe2(told.data(), O_CLOEXEC) == 0 && pipe2(says.data(), O_CLOEXEC) == 0);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, told[0], 0);
  posix_spawn_file_actions_adddup2(&files, says[1], 1);
  std::string program = WEFT_KAFKA_MOCK;
  std::array<char*, 2> arguments{program.data(), nullptr};
  CHECK(posix_spawn(&pid_, program.c_str(), &files, nullptr, arguments.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&files);
  close(told[0]);
  close(says[1]);
  in_ = fdopen(says[0], "r");
  out_ = fdopen(told[1], "w");
  std::string servers = read_line();
  std::size_t colon = servers.rfind(':');
  CHECK(colon != servers.npos);
  port_ = static_cast<std::uint16_t>(std::stoi(servers.substr(colon + 1)));
}

Mock::~Mock() {
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  fclose(in_);
  fclose(out_);
}

std::string Mock::servers() const {
  return fmt::format("127.0.0.1:{}", port_);
}

std::string Mock::read_line() {
  std::array<char, 256> line{};
  CHECK(fgets(line.data(), line.size(), in_) != nullptr);
  std::string text = line.data();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

void Mock::tell(const std::string& line) {
  CHECK(fputs((line + "\n").c_str(), out_) >= 0 && fflush(out_) == 0);
  CHECK(read_line() == "ok");
}

void Mock::freeze() {
  ::kill(pid_, SIGSTOP);
  siginfo_t told{};
  waitid(P_PID, static_cast<id_t>(pid_), &told, WSTOPPED | WEXITED | WNOWAIT);
}
void Mock::thaw() {
  ::kill(pid_, SIGCONT);
}

Mock& shared_mock() {
  static Mock mock;
  return mock;
}

}  // namespace weft::remote::kafka
