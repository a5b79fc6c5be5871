#include "base/signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>

#include "base/check.h"

namespace weft {
namespace {

// SIGRTMIN ends a wait, SIGRTMIN + 1 the thread that stands in before there are waits.
int hold_signal() {
  return SIGRTMIN + 1;
}

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGRTMIN);
  return set;
}

void exit_at_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, hold_signal());
  for (;;) {
    int number = sigwaitinfo(&set, nullptr);
    if (number == hold_signal()) return;
    // Other threads run: nothing of theirs may be destroyed under them.
    if (number > 0) ::_exit(128 + number);
  }
}

// The mapped file that this thread uses, or nothing. In static storage of the program, so that a
// handler reads it without a call that may allocate.
thread_local const char* mapped_file = nullptr;

void write_text(std::string_view text) {
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

void on_mapped_fault(int number) {
  // Back from here the same access fails again, and ends the process as if nobody had asked. Not
  // left to SA_RESETHAND: a handler of the engine's that calls this one does not heed it.
  signal(number, SIG_DFL);
  const char* file = mapped_file;
  if (file == nullptr && number != SIGBUS) return;
  write_text("weft: ");
  write_text(file == nullptr ? "a file that is in use" : file);
  write_text(number == SIGBUS ? " was cut short, or its disk failed (SIGBUS)"
                              : " is damaged inside (SIGSEGV while it was used)");
  write_text(": restore the state folder from a copy\n");
}

}  // namespace

StopSignals::StopSignals() {
  sigset_t set = stop_set();
  sigaddset(&set, hold_signal());
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  CHECK(sigaction(SIGPIPE, &ignore, nullptr) == 0);
  CHECK(sigaction(SIGXFSZ, &ignore, nullptr) == 0);
  until_held_ = std::thread(exit_at_signal);
}

void StopSignals::hold() {
  if (!until_held_.joinable()) return;
  CHECK(pthread_kill(until_held_.native_handle(), hold_signal()) == 0);
  until_held_.join();
}

std::optional<int> StopSignals::wait(Deadline deadline) {
  using namespace std::chrono;
  hold();
  sigset_t set = stop_set();
  for (;;) {
    int number = -1;
    siginfo_t info{};
    if (deadline.is_never()) {
      number = sigwaitinfo(&set, &info);
    } else {
      auto left = duration_cast<nanoseconds>(deadline.when() - Deadline::Clock::now());
      if (left < nanoseconds(0)) left = nanoseconds(0);
      timespec wait{};
      wait.tv_sec = left.count() / 1'000'000'000;
      wait.tv_nsec = left.count() % 1'000'000'000;
      number = sigtimedwait(&set, &info, &wait);
    }
    if (number == SIGRTMIN) return std::nullopt;
    // A terminal that goes away sends the same signal as an operator who wants a reload.
    if (number == SIGHUP && info.si_code == SI_KERNEL) return SIGTERM;
    if (number > 0) return number;
    if (errno == EAGAIN) return std::nullopt;
  }
}

void StopSignals::interrupt() {
  kill(getpid(), SIGRTMIN);
}

void explain_mapped_faults() {
  struct sigaction explain{};
  explain.sa_handler = on_mapped_fault;
  CHECK(sigaction(SIGBUS, &explain, nullptr) == 0);
  CHECK(sigaction(SIGSEGV, &explain, nullptr) == 0);
}

void reset_signals() {
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &usual, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

MappedRead::MappedRead(const char* path) : outer_(mapped_file) {
  mapped_file = path;
}

MappedRead::~MappedRead() {
  mapped_file = outer_;
}

}  // namespace weft
