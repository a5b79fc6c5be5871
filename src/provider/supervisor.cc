#include "provider/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace weft::provider {
namespace {

// How long it is between two looks whether a process listens already.
constexpr std::chrono::milliseconds kConnectSoon{1};
constexpr std::chrono::milliseconds kConnectLater{10};
// What is left to print when a process has ended is read for so long at most.
constexpr std::chrono::milliseconds kDrain{200};

// The first of these that there is; an address of a socket is short.
std::string temporary_folder() {
  for (const char* name : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* folder = std::getenv(name);
    if (folder != nullptr && *folder == '/' && std::string_view(folder).size() < 60 &&
        access(folder, W_OK | X_OK) == 0) {
      return folder;
    }
  }
  return "/tmp";
}

}  // namespace

// One life of the process.
struct Supervisor::Run {
  Run(Child of, std::string app, std::string name)
      : child(std::move(of)), lines(std::move(app), std::move(name)) {}

  Child child;
  OutputLines lines;
  bool printing = true;
  std::unique_ptr<Control> control;
  std::string socket;
  std::string token;
  std::shared_ptr<const Secret> setup;
  Deadline::Clock::time_point since = Deadline::Clock::now();
};

Supervisor::Supervisor(ProviderSettings settings)
    : settings_(std::move(settings)),
      who_(fmt::format("provider {} of {}", settings_.name, settings_.app)),
      random_(std::random_device{}()) {}

Supervisor::~Supervisor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (wake_) woken_up();
  if (thread_.joinable()) thread_.join();
  if (!folder_.empty()) rmdir(folder_.c_str());
}

void Supervisor::woken_up() {
  std::uint64_t one = 1;
  static_cast<void>(write(wake_.get(), &one, sizeof(one)));
}

Result<std::shared_ptr<Roster>> Supervisor::start(Deadline deadline) {
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return system_failure("making an eventfd", errno);
  std::string folder = temporary_folder() + "/weft-provider-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return system_failure("making " + folder, errno);
  folder_ = folder;
  thread_ = std::thread([this, deadline] { work(deadline); });
  std::unique_lock lock(mutex_);
  started_.wait(lock, [this] { return outcome_.has_value(); });
  if (!*outcome_) return std::unexpected(Error(outcome_->error()).within(who_));
  return roster_;
}

ProviderStatus Supervisor::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void Supervisor::broken(std::uint64_t incarnation, Error error) {
  {
    std::lock_guard lock(mutex_);
    broken_ = incarnation;
    broken_why_ = error.message();
  }
  woken_up();
}

void Supervisor::work(Deadline first) {
  Result<void> launched = launch(first);
  {
    std::lock_guard lock(mutex_);
    outcome_ = launched;
  }
  if (!launched) return started_.notify_all();
  publish_up();
  started_.notify_all();
  for (;;) {
    std::string why = watch();
    roster_->publish(
        Absence{Error(Errc::kUnavailable,
                      fmt::format("the {} {}", who_, why.empty() ? "was stopped" : why)),
                why.empty()});
    if (why.empty()) return stop_run();
    bool steady = Deadline::Clock::now() - run_->since >= settings_.limits.steady;
    if (steady) failures_ = 0;
    why = end_run(std::move(why));
    log::error("provider", "the process has ended and is started again",
               {{"app", settings_.app}, {"provider", settings_.name}, {"why", why}});
    if (!restart()) {
      return roster_->publish(
          Absence{Error(Errc::kUnavailable, fmt::format("the {} was stopped", who_)), true});
    }
    publish_up();
  }
}

// Until it runs again; false: it is to stop.
bool Supervisor::restart() {
  for (;;) {
    Deadline::Clock::duration delay{0};
    if (failures_ > 0) {
      unsigned doublings = std::min(failures_ - 1, 20U);
      auto full = std::min<Deadline::Clock::duration>(
          settings_.limits.restart_first * (1 << doublings), settings_.limits.restart_max);
      delay = full - full / 200 * (random_() % 100);
    }
    ++failures_;
    // What a session says of the life that is over wakes this up too: that shortens no delay.
    Deadline due = Deadline::after(delay);
    do {
      if (wait(due) == Woken::kStop) return false;
    } while (!due.passed());
    Result<void> launched = launch(Deadline::after(settings_.limits.start));
    if (launched) return true;
    if (launched.error().code() == Errc::kCancelled) return false;
    log::error("provider", "the process could not be started again",
               {{"app", settings_.app},
                {"provider", settings_.name},
                {"why", launched.error().message()}});
  }
}

Result<void> Supervisor::launch(Deadline deadline) {
  std::string socket = fmt::format("{}/{}", folder_, ++runs_);
  std::string token = random_token();
  TRY(Child child,
      Child::spawn({.command = settings_.command,
                    .folder = settings_.folder,
                    .environment = {{kSocketVariable, socket}, {kTokenVariable, token}},
                    .withheld = settings_.withheld}));
  run_ = std::make_unique<Run>(std::move(child), settings_.app, settings_.name);
  run_->socket = socket;
  run_->token = token;
  Result<void> well = connect(deadline);
  if (well) well = shake_hands(deadline);
  if (well && roster_ != nullptr && *run_->control->offer() != roster_->offer()) {
    well = failure(Errc::kConflict, difference(roster_->offer(), *run_->control->offer()));
  }
  if (well) return {};
  static_cast<void>(end_run(""));
  return well;
}

Error Supervisor::not_ready(std::string_view what) {
  run_->lines.read(run_->child.output());
  run_->lines.end();
  const std::string& last = run_->lines.last();
  std::string said = last.empty() ? "" : fmt::format("; it printed: {}", last);
  return Error(Errc::kUnavailable, fmt::format("{} {}{}", settings_.command.front(), what, said));
}

Result<void> Supervisor::connect(Deadline deadline) {
  auto look = kConnectSoon;
  for (int tries = 0;; ++tries) {
    Result<Fd> socket = Control::connect(run_->socket);
    if (socket) {
      SetupMessage setup{.token = run_->token,
                         .app = settings_.app,
                         .name = settings_.name,
                         .configuration_json = settings_.configuration_json,
                         .secrets = settings_.secrets};
      run_->setup = std::make_shared<const Secret>(setup_text(setup));
      run_->control = std::make_unique<Control>(*std::move(socket), run_->token, *run_->setup);
      return {};
    }
    if (socket.error().code() != Errc::kUnavailable) return std::unexpected(socket.error());
    if (deadline.passed()) {
      return std::unexpected(
          not_ready(fmt::format("does not listen on the socket that {} names", kSocketVariable)));
    }
    if (tries == 50) look = kConnectLater;
    switch (wait(earlier(deadline, Deadline::after(look)))) {
      case Woken::kStop: return failure(Errc::kCancelled, "it was stopped as it started");
      case Woken::kExited:
        return std::unexpected(
            not_ready(fmt::format("{} before it was ready", run_->child.finish())));
      default: break;
    }
  }
}

Result<void> Supervisor::shake_hands(Deadline deadline) {
  Control& control = *run_->control;
  while (!control.offer()) {
    switch (wait(deadline)) {
      case Woken::kStop: return failure(Errc::kCancelled, "it was stopped as it started");
      case Woken::kTime:
        return std::unexpected(not_ready("was not ready in the time that it has to start"));
      case Woken::kConnection:
        if (Result<void> step = control.step(); !step) {
          // It is gone, or says something else: which is known in a moment.
          bool gone = step.error().code() == Errc::kUnavailable && !control.offer() &&
                      wait(Deadline::after(kDrain)) == Woken::kExited;
          if (!gone)
            return std::unexpected(
                not_ready(fmt::format("is no provider of this weft: {}", step.error().message())));
          [[fallthrough]];
        } else {
          break;
        }
      case Woken::kExited:
        return std::unexpected(
            not_ready(fmt::format("{} before it was ready", run_->child.finish())));
      case Woken::kBroken: break;
    }
  }
  return {};
}

void Supervisor::publish_up() {
  if (roster_ == nullptr) {
    roster_ = std::make_shared<Roster>(who_, *run_->control->offer());
    roster_->on_broken(
        [this](std::uint64_t incarnation, Error error) { broken(incarnation, std::move(error)); });
  }
  {
    std::lock_guard lock(mutex_);
    status_.up = true;
    status_.pid = run_->child.pid();
    status_.restarts = runs_ - 1;
  }
  auto now = std::make_shared<Incarnation>();
  now->number = runs_;
  now->socket = run_->socket;
  now->token = run_->token;
  now->setup = run_->setup;
  roster_->publish(std::move(now));
}

// Until the process is gone, or has to go: says why. Empty: it is to stop.
std::string Supervisor::watch() {
  Control& control = *run_->control;
  Deadline next = Deadline::after(settings_.limits.health_every);
  for (;;) {
    switch (wait(next)) {
      case Woken::kStop: return "";
      case Woken::kExited: return "has ended";
      case Woken::kBroken: {
        std::lock_guard lock(mutex_);
        if (broken_ == runs_) return fmt::format("broke the protocol: {}", broken_why_);
        break;
      }
      case Woken::kConnection:
        if (Result<void> step = control.step(); !step) {
          if (step.error().code() == Errc::kUnavailable) return "has closed its connection";
          return fmt::format("broke the protocol: {}", step.error().message());
        }
        if (!control.waits_for_pong()) next = Deadline::after(settings_.limits.health_every);
        break;
      case Woken::kTime:
        if (control.waits_for_pong()) {
          return fmt::format("did not answer a ping for {} ms",
                             settings_.limits.health_wait.count());
        }
        if (Result<void> sent = control.ping(); !sent) return sent.error().message();
        next = Deadline::after(settings_.limits.health_wait);
        break;
    }
  }
}

// Kills what still runs. What is said of a process that ended by itself is how.
std::string Supervisor::end_run(std::string why) {
  pollfd ended{run_->child.pidfd(), POLLIN, 0};
  // Who closed its connections is about to end; its own end says more than ours.
  static_cast<void>(poll(&ended, 1, run_->child.pid() == 0 ? 0 : 20));
  bool by_itself = ended.revents != 0;
  if (run_->child.pid() != 0) {
    std::string how = run_->child.finish();
    if (by_itself) why = how;
  }
  Deadline drain = Deadline::after(kDrain);
  while (run_->printing && !drain.passed()) {
    pollfd output{run_->child.output(), POLLIN, 0};
    if (poll(&output, 1, 0) == 0) break;
    run_->printing = run_->lines.read(run_->child.output());
  }
  run_->lines.end();
  unlink(run_->socket.c_str());
  run_.reset();
  std::lock_guard lock(mutex_);
  status_.up = false;
  status_.pid = 0;
  if (!why.empty()) status_.last_end = why;
  return why;
}

void Supervisor::stop_run() {
  run_->child.signal_group(SIGTERM);
  Deadline patience = Deadline::after(settings_.limits.stop);
  for (;;) {
    std::array<pollfd, 2> waits{{{run_->child.pidfd(), POLLIN, 0},
                                 {run_->printing ? run_->child.output() : -1, POLLIN, 0}}};
    if (patience.passed()) {
      log::warn("provider", "the process did not stop and is killed",
                {{"app", settings_.app}, {"provider", settings_.name}});
      break;
    }
    static_cast<void>(poll(waits.data(), waits.size(), 50));
    if (waits[0].revents != 0) break;
    if (waits[1].revents != 0) run_->printing = run_->lines.read(run_->child.output());
  }
  static_cast<void>(end_run("was stopped"));
}

Supervisor::Woken Supervisor::wait(Deadline deadline) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return Woken::kStop;
    }
    bool alive = run_ != nullptr && run_->child.pid() != 0;
    Control* control = alive ? run_->control.get() : nullptr;
    auto events = static_cast<short>(
        control != nullptr && control->wants_to_write() ? POLLIN | POLLOUT : POLLIN);
    std::array<pollfd, 4> waits{{{wake_.get(), POLLIN, 0},
                                 {alive ? run_->child.pidfd() : -1, POLLIN, 0},
                                 {alive && run_->printing ? run_->child.output() : -1, POLLIN, 0},
                                 {control != nullptr ? control->fd() : -1, events, 0}}};
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline.when() - Deadline::Clock::now());
    int timeout = deadline.is_never()
                      ? -1
                      : static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    int ready = poll(waits.data(), waits.size(), timeout);
    if (ready < 0 && errno != EINTR) CHECK(false);
    if (waits[0].revents != 0) {
      std::uint64_t count = 0;
      static_cast<void>(read(wake_.get(), &count, sizeof(count)));
      std::lock_guard lock(mutex_);
      return stopping_ ? Woken::kStop : Woken::kBroken;
    }
    if (waits[2].revents != 0) run_->printing = run_->lines.read(run_->child.output());
    if (waits[1].revents != 0) return Woken::kExited;
    if (waits[3].revents != 0) return Woken::kConnection;
    if (deadline.passed()) return Woken::kTime;
  }
}

}  // namespace weft::provider
