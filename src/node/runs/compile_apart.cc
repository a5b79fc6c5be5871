#include "node/runs/compile_apart.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/fd.h"
#include "base/signal.h"

namespace weft::node::runs {
namespace {

constexpr int kNice = 10;
constexpr std::size_t kLastWordsMax = 1'000;

// What the new process does before it is the command. It shares the memory of this one, whose
// thread waits: nothing but system calls.
struct Launch {
  char* const* words;
  int errors;
  pid_t parent;
  rlimit cpu;
  rlimit memory;
  unsigned patience;

  [[noreturn]] void run() const {
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    setpriority(PRIO_PROCESS, 0, kNice);
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_DATA, &memory);
    alarm(patience);
    dup2(errors, 2);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(words[0], words, environ);
    _exit(127);
  }
};

__attribute__((noinline)) pid_t launch(const Launch& with) {
  pid_t pid = vfork();  // NOLINT(bugprone-unsafe-functions): posix_spawn sets no limits.
  if (pid == 0) with.run();
  return pid;
}

std::string last_words(int file) {
  std::string text(kLastWordsMax, '\0');
  std::size_t size = 0;
  std::array<char, 4096> more;
  while (true) {
    bool full = size == text.size();
    ssize_t count = full ? ::read(file, more.data(), more.size())
                         : ::read(file, text.data() + size, text.size() - size);
    if (count == 0 || (count < 0 && errno != EINTR)) break;
    if (count > 0 && !full) size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Compiled compile_apart(std::vector<std::string> command, std::chrono::seconds cpu_max,
                       std::uint64_t memory_max) {
  CHECK(!command.empty());
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {system_failure("a pipe", errno)};
  Fd reads(ends[0]);
  Fd writes(ends[1]);
  auto seconds = static_cast<rlim_t>(cpu_max.count());
  pid_t child = launch({.words = words.data(),
                        .errors = ends[1],
                        .parent = ::getpid(),
                        .cpu = {seconds, seconds + 1},
                        .memory = {memory_max, memory_max},
                        .patience = static_cast<unsigned>(seconds * kCompilePatience)});
  if (child < 0) return {system_failure(command.front(), errno)};
  writes.reset();
  std::string said = last_words(ends[0]);
  int status = 0;
  rusage used{};
  while (::wait4(child, &status, 0, &used) < 0) {
    if (errno != EINTR) return {system_failure("waiting for what compiles", errno)};
  }
  auto time = [](const timeval& each) {
    return std::chrono::seconds(each.tv_sec) + std::chrono::microseconds(each.tv_usec);
  };
  Compiled done{{}, time(used.ru_utime) + time(used.ru_stime)};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return done;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    // Where others had the processor meanwhile, it may fit another time.
    Errc code = done.cost < cpu_max / 2 ? Errc::kTimeout : Errc::kLimit;
    done.how = failure(
        code, fmt::format("compiling it took more than {} s", cpu_max.count() * kCompilePatience));
  } else if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM ||
                                     (WTERMSIG(status) == SIGKILL && done.cost < cpu_max))) {
    done.how = failure(
        Errc::kUnavailable,
        fmt::format("what compiled it was ended by signal {}: try it again", WTERMSIG(status)));
  } else if (WIFSIGNALED(status)) {
    done.how = failure(Errc::kLimit,
                       fmt::format("compiling it took more than {} s of processor time or {} bytes "
                                   "of memory (signal {})",
                                   cpu_max.count(), memory_max, WTERMSIG(status)));
  } else {
    done.how = failure(Errc::kUnsupported, said.empty() ? "it does not compile" : std::move(said));
  }
  return done;
}

int compile_module(const std::string& file, RuntimeOptions options,
                   std::uint64_t memory_bytes_max) {
  options.instances_max = 1;  // None is made.
  Result<void> done;
  if (auto runtime = Runtime::create(options); !runtime) {
    done = std::unexpected(std::move(runtime).error());
  } else if (auto program = (*runtime)->load(file, memory_bytes_max); !program) {
    done = std::unexpected(std::move(program).error());
  }
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message());
  return 1;
}

}  // namespace weft::node::runs
