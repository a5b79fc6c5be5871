#include "remote/testing/real_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/check.h"

extern char** environ;

namespace weft::remote {
namespace {

constexpr std::chrono::seconds kStartTime{90};
constexpr std::chrono::seconds kStopTime{10};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool accepts(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(port);
  return connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

// Not of those that the system gives to whoever asks for any (32768 and more): such a port may be
// somebody else's before the server that is to have it has started. Each process begins elsewhere.
std::uint16_t free_port() {
  constexpr std::uint32_t kFirst = 20'000;
  constexpr std::uint32_t kCount = 12'000;
  static std::atomic<std::uint32_t> next = static_cast<std::uint32_t>(getpid()) * 61;
  for (std::uint32_t tries = 0; tries < kCount; ++tries) {
    auto port = static_cast<std::uint16_t>(kFirst + next++ % kCount);
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(port);
    if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
      return port;
    }
  }
  CHECK(false && "there is a free port");
}

RealServer::RealServer(Command command) : command_(std::move(command)), port_(free_port()) {
  std::string name = (std::filesystem::temp_directory_path() / "weft-server-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr);
  folder_ = name;
  start();
}

RealServer::~RealServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RealServer::start() {
  CHECK(pid_ == 0);
  std::vector<std::string> words = command_(port_, folder_);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string log = folder_ + "/log";
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  int failed = posix_spawnp(&pid_, arguments[0], &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) {
    fmt::print(stderr, "{}: {}: scripts/setup.sh test installs it\n", words[0],
               std::strerror(failed));
    std::abort();
  }
  auto until = std::chrono::steady_clock::now() + kStartTime;
  while (!accepts(port_)) {
    int status = 0;
    bool gone = waitpid(pid_, &status, WNOHANG) == pid_;
    if (gone || std::chrono::steady_clock::now() > until) {
      std::ifstream file(log);
      std::string said((std::istreambuf_iterator<char>(file)), {});
      fmt::print(stderr, "{} does not serve on port {}:\n{}\n", words[0], port_, said);
      std::abort();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void RealServer::end(int signal) {
  if (pid_ == 0) return;
  ::kill(pid_, signal);
  auto until = std::chrono::steady_clock::now() + kStopTime;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > until) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  pid_ = 0;
}

void RealServer::kill() {
  end(SIGKILL);
}
void RealServer::stop() {
  end(SIGTERM);
}
void RealServer::freeze() {
  ::kill(pid_, SIGSTOP);
  // Its threads run on until one of them has seen the signal.
  siginfo_t told{};
  waitid(P_PID, static_cast<id_t>(pid_), &told, WSTOPPED | WEXITED | WNOWAIT);
}
void RealServer::thaw() {
  ::kill(pid_, SIGCONT);
}

std::vector<std::string> node_program(const std::string& name) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::string folder = cache != nullptr && *cache != '\0'
                           ? cache
                           : std::string(home == nullptr ? "" : home) + "/.cache";
  std::string node = folder + "/weft/node/bin/node";
  std::string program = folder + "/weft/node/node_modules/.bin/" + name;
  bool there = access(node.c_str(), X_OK) == 0 && access(program.c_str(), R_OK) == 0;
  return there ? std::vector{node, program} : std::vector<std::string>();
}

}  // namespace weft::remote
