#include "provider/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/log.h"
#include "base/signal.h"

namespace weft::provider {
namespace {

// Where the system would find the program; nothing: nowhere.
std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    std::size_t end = std::min(rest.find(':'), rest.size());
    std::string file = fmt::format("{}/{}", rest.substr(0, end), name);
    if (end != 0 && access(file.c_str(), X_OK) == 0) return file;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_of(const ChildOptions& options) {
  const auto& more = options.environment;
  std::vector<std::string> out;
  for (char** each = environ; *each != nullptr; ++each) {
    std::string_view text(*each);
    std::string_view name = text.substr(0, text.find('='));
    bool replaced = std::ranges::any_of(more, [&](const auto& pair) { return pair.first == name; });
    bool withheld = std::ranges::find(options.withheld, name) != options.withheld.end();
    if (!replaced && !withheld) out.emplace_back(text);
  }
  for (const auto& [name, value] : more) out.push_back(fmt::format("{}={}", name, value));
  return out;
}

enum class Step : std::uint8_t { kNone, kFolder, kProgram };

// What the new process does before it is the program. It shares the memory of this one, whose
// thread waits: nothing but system calls.
struct Launch {
  const char* program;
  char* const* words;
  char* const* environment;
  const char* folder;
  int input;
  int output;
  pid_t parent;
  // What went wrong, written by the new process.
  volatile Step failed = Step::kNone;
  volatile int error = 0;

  [[noreturn]] void run() {
    reset_signals();
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    // What somebody left open in weft is nothing of the provider's.
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (folder != nullptr && chdir(folder) != 0) stop(Step::kFolder);
    execve(program, words, environment);
    stop(Step::kProgram);
  }
  [[noreturn]] void stop(Step step) {
    error = errno;
    failed = step;
    _exit(127);
  }
};

// posix_spawn cannot ask for a signal at the parent's end, and fork copies the tables of a process
// that maps much.
__attribute__((noinline)) pid_t launch(Launch& with) {
  pid_t pid = vfork();
  if (pid == 0) with.run();
  return pid;
}

std::unexpected<Error> not_started(const ChildOptions& options, Step step, int error) {
  const std::string& program = options.command.front();
  std::string where = options.folder.empty() ? "" : fmt::format(" (in {})", options.folder);
  if (step == Step::kFolder) {
    return failure(Errc::kNotFound,
                   fmt::format("the folder {}: {}", options.folder, std::strerror(error)));
  }
  switch (error) {
    case ENOENT:
      return failure(
          Errc::kNotFound,
          fmt::format("{}{}: there is no such program, or none to run it", program, where));
    case EACCES:
      return failure(Errc::kDenied,
                     fmt::format("{}{} is not executable: chmod +x {}", program, where, program));
    case ENOEXEC:
      return failure(Errc::kInvalid,
                     fmt::format("{}{} is no program that this system runs", program, where));
    default:
      return failure(Errc::kIo, fmt::format("{}{}: {}", program, where, std::strerror(error)));
  }
}

}  // namespace

Result<Child> Child::spawn(const ChildOptions& options) {
  if (options.command.empty()) return failure(Errc::kInvalid, "no command to run");
  std::optional<std::string> program = find_program(options.command.front());
  if (!program) {
    return failure(Errc::kNotFound,
                   fmt::format("{}: there is no such program in PATH", options.command.front()));
  }
  std::vector<std::string> words = options.command;
  std::vector<std::string> environment = environment_of(options);
  std::vector<char*> word_pointers = pointers(words);
  std::vector<char*> environment_pointers = pointers(environment);

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("making a pipe", errno);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  Fd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) return system_failure("opening /dev/null", errno);

  Launch with{.program = program->c_str(),
              .words = word_pointers.data(),
              .environment = environment_pointers.data(),
              .folder = options.folder.empty() ? nullptr : options.folder.c_str(),
              .input = nothing.get(),
              .output = writer.get(),
              .parent = getpid()};
  // No handler of this process runs in the new one.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = launch(with);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return system_failure("starting a process", error);
  if (with.failed != Step::kNone) {
    waitpid(pid, nullptr, 0);
    return not_started(options, with.failed, with.error);
  }
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  Child child(pid, std::move(pidfd), std::move(reader));
  if (!child.pidfd_) return system_failure("watching a process", errno);
  return child;
}

Child::~Child() {
  if (pid_ != 0) finish();
}

void Child::signal_group(int number) const {
  if (pid_ != 0) kill(-pid_, number);
}

// The process is not waited for before its group was killed: until then no other process gets its
// number.
std::string Child::finish() {
  signal_group(SIGKILL);
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  if (WIFSIGNALED(status)) {
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
  }
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

OutputLines::OutputLines(std::string app, std::string name)
    : app_(std::move(app)), name_(std::move(name)), gate_(Deadline::Clock::now()) {}

bool OutputLines::read(int fd) {
  // A bounded number of rounds: who prints without an end keeps nobody from watching it.
  std::array<char, 16 * 1024> bytes;
  for (int round = 0; round < 16; ++round) {
    ssize_t count = ::read(fd, bytes.data(), bytes.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    take({bytes.data(), static_cast<std::size_t>(count)});
  }
  return true;
}

void OutputLines::take(std::string_view text) {
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view part = text.substr(0, end);
    line_ += part.substr(0, kLineMax - std::min(line_.size(), kLineMax));
    if (end == std::string_view::npos) return;
    line();
    text.remove_prefix(end + 1);
  }
}

void OutputLines::line() {
  if (line_.empty()) return;
  if (gate_.pass(Deadline::Clock::now())) {
    if (std::uint64_t dropped = gate_.take_dropped(); dropped > 0) {
      log::warn("provider", "lines that came too fast were left out",
                {{"app", app_}, {"provider", name_}, {"lines", dropped}});
    }
    log::info("provider", line_, {{"app", app_}, {"provider", name_}});
  }
  last_ = std::exchange(line_, {});
}

void OutputLines::end() {
  line();
}

}  // namespace weft::provider
