#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "base/fd.h"
#include "provider/child.h"
#include "provider/control.h"
#include "provider/provider_process.h"
#include "provider/roster.h"

namespace weft::provider {

// Keeps one provider process running, on a thread of its own, which also is the parent that the
// process dies with.
class Supervisor {
 public:
  explicit Supervisor(ProviderSettings settings);
  Supervisor(const Supervisor&) = delete;
  // Stops the process.
  ~Supervisor();

  // Once: starts the thread and the process, and waits until it is ready or cannot be.
  Result<std::shared_ptr<Roster>> start(Deadline deadline);
  ProviderStatus status() const;

 private:
  // Why a wait is over.
  enum class Woken : std::uint8_t { kTime, kStop, kExited, kConnection, kBroken };
  struct Run;

  void work(Deadline first);
  Result<void> launch(Deadline deadline);
  Result<void> connect(Deadline deadline);
  Result<void> shake_hands(Deadline deadline);
  Error not_ready(std::string_view what);
  void publish_up();
  std::string watch();
  std::string end_run(std::string why);
  void stop_run();
  bool restart();
  Woken wait(Deadline deadline);
  void woken_up();
  void broken(std::uint64_t incarnation, Error error);
  void note(const ProviderStatus& status);

  const ProviderSettings settings_;
  const std::string who_;  // "provider resize of shop"
  std::string folder_;     // Where the sockets are: nobody else's.
  Fd wake_;                // An eventfd.

  // Shared by the sessions.
  std::shared_ptr<Roster> roster_;

  mutable std::mutex mutex_;
  std::condition_variable started_;
  std::optional<Result<void>> outcome_;  // Of the first start. Guarded.
  ProviderStatus status_;                // Guarded.
  bool stopping_ = false;                // Guarded.
  std::uint64_t broken_ = 0;             // Guarded: the run that broke the protocol.
  std::string broken_why_;               // Guarded.

  // The thread's own.
  std::unique_ptr<Run> run_;
  std::uint64_t runs_ = 0;
  unsigned failures_ = 0;  // In a row.
  std::minstd_rand random_;
  std::thread thread_;
};

}  // namespace weft::provider
