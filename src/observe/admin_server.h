#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/http/server.h"
#include "observe/admin_calls.h"
#include "observe/host_facts.h"
#include "observe/loop_observer.h"
#include "observe/spy_queue.h"

namespace weft {

// How long a loop may take to answer the admin server before it counts as stuck.
inline constexpr std::chrono::milliseconds kLoopAnswerMax{1'000};
// Questions to the loops under way at once; more are answered with 503.
inline constexpr std::size_t kQuestionsMax = 32;
// Connections of those who look.
inline constexpr std::size_t kAdminConnectionsMax = 128;

class AdminHandler;

// Serves /metrics, /healthz, /readyz, /api/... and the page, on a listener and a loop of its own:
// neither a busy nor a stuck loop of the host keeps it from answering.
//
// Made and destroyed on one thread that is none of the loops'. What it is given outlives it.
class AdminServer {
 public:
  struct Watched {
    Loops& loops;                          // The host's.
    std::vector<LoopObserver*> observers;  // One a loop.
    HostView& view;
    TrapLog& traps;
    SpyQueue* spy = nullptr;      // Where calls are told; null: nobody may watch.
    AdminCalls* calls = nullptr;  // Who makes calls; null: nobody.
  };

  // `own` has one loop, the admin server's.
  static Result<std::unique_ptr<AdminServer>> start(Loops& own, Watched watched,
                                                    HttpAddress address);
  ~AdminServer();

  std::string url() const { return server_->url(); }

 private:
  explicit AdminServer(Loops& own);

  Loops& own_;
  std::unique_ptr<AdminHandler> handler_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace weft
