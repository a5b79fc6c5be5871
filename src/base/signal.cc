#include "base/signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/check.h"

namespace weft {
namespace {

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGRTMIN);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  sigset_t set = stop_set();
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  CHECK(sigaction(SIGPIPE, &ignore, nullptr) == 0);
  CHECK(sigaction(SIGXFSZ, &ignore, nullptr) == 0);
}

std::optional<int> StopSignals::wait(Deadline deadline) {
  using namespace std::chrono;
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

}  // namespace weft
