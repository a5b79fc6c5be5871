#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/signal.h"
#include "io/task.h"
#include "node/client/remote_node.h"

namespace weft {

// From the first signal to the end of this process, whatever the node does. A run that is not
// cancelled by then goes on there, to its limit.
inline constexpr std::chrono::seconds kCancelMax{3};

// While it lives, a signal cancels what `node.execute` has begun there, so that nothing is computed
// for who has gone. The run's receipt ends `execute` then; where none comes within kCancelMax, the
// process ends. A second signal ends it at once.
//
// On the loop's thread, while the loop does not run; outlived by all that it is made with. Alone:
// nothing else waits for signals.
class CancelOnSignal {
 public:
  CancelOnSignal(Loop& loop, node::client::RemoteNode& node, StopSignals& signals);
  CancelOnSignal(const CancelOnSignal&) = delete;
  ~CancelOnSignal();

  // After `execute`: what the process ends with, where there was a signal.
  std::optional<int> finish();

 private:
  void watch();
  void cancel(int signal);
  Task<void> ask(Deadline deadline);
  [[noreturn]] void leave(int signal, const std::string& why);

  Loop& loop_;
  node::client::RemoteNode& node_;
  StopSignals& signals_;
  std::atomic<int> signal_ = 0;
  std::atomic<bool> over_ = false;
  bool asks_ = false;  // The loop's.
  std::thread thread_;
};

}  // namespace weft
