#include "dev/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/console.h"
#include "base/deadline.h"
#include "base/fd.h"

namespace weft {
namespace {

// What a child starts with: no input, one pipe for both streams, and the signals that weft keeps
// for itself as they were.
class Spawn {
 public:
  Spawn(const ProcessOptions& options, int output) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, output, 1);
    posix_spawn_file_actions_adddup2(&files_, output, 2);
    if (!options.folder.empty()) {
      posix_spawn_file_actions_addchdir_np(&files_, options.folder.c_str());
    }
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t usual;
    sigemptyset(&usual);
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) sigaddset(&usual, number);
    posix_spawnattr_setsigdefault(&attributes_, &usual);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  Spawn(const Spawn&) = delete;
  ~Spawn() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&files_);
  }

  int start(const std::vector<std::string>& words, pid_t& pid) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    return posix_spawnp(&pid, argv[0], &files_, &attributes_, argv.data(), environ);
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

// Reads until the child has closed its output. False when the deadline passed before.
bool read_all(int pipe, Deadline deadline, const ProcessOptions& options, std::string& output) {
  constexpr int kLookMs = 200;
  std::array<char, 16 * 1024> buffer;
  while (!deadline.passed()) {
    pollfd wait{pipe, POLLIN, 0};
    if (poll(&wait, 1, kLookMs) == 0) continue;
    ssize_t count = read(pipe, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
    if (options.echo) write_to_stderr(piece);
    output += piece.substr(0, kProcessOutputMax - std::min(output.size(), kProcessOutputMax));
  }
  return false;
}

}  // namespace

Result<ProcessResult> run_process(const std::vector<std::string>& words,
                                  const ProcessOptions& options) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("making a pipe", errno);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  pid_t pid = 0;
  if (int problem = Spawn(options, writer.get()).start(words, pid)) {
    return failure(problem == ENOENT ? Errc::kNotFound : Errc::kIo,
                   fmt::format("cannot run {}: {}", words.front(), std::strerror(problem)));
  }
  writer.reset();
  ProcessResult result;
  bool ended = read_all(reader.get(), Deadline::after(options.time_max), options, result.output);
  if (!ended) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) {
    return failure(Errc::kTimeout, fmt::format("{} took more than {} s and was killed",
                                               words.front(), options.time_max.count()));
  }
  result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

bool is_in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    auto end = std::min(rest.find(':'), rest.size());
    std::string file = fmt::format("{}/{}", rest.substr(0, end), program);
    if (end != 0 && access(file.c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

}  // namespace weft
