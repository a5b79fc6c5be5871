#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/secret.h"
#include "door/call.h"
#include "provider/handshake.h"

namespace weft {

class Loop;

// How patient weft is with a provider's process.
struct ProviderLimits {
  // From its start to its ready, when it is started again. The first start has the deadline that
  // ProviderProcess::start was given.
  std::chrono::milliseconds start = std::chrono::seconds(30);
  // A ping every so often; without an answer for so long it is killed and started again.
  std::chrono::milliseconds health_every = std::chrono::seconds(2);
  std::chrono::milliseconds health_wait = std::chrono::seconds(10);
  // A process that ran for `steady` is started again at once. After that weft waits: for
  // `restart_first`, and twice as long each time, up to `restart_max`; less up to a half, by
  // chance.
  std::chrono::milliseconds steady = std::chrono::seconds(10);
  std::chrono::milliseconds restart_first = std::chrono::milliseconds(100);
  std::chrono::milliseconds restart_max = std::chrono::seconds(30);
  // From SIGTERM to SIGKILL.
  std::chrono::milliseconds stop = std::chrono::seconds(5);
};

struct ProviderSettings {
  std::string app;
  std::string name;
  // The program and its words. With a slash it is a path, from `folder`; without one it is in PATH.
  std::vector<std::string> command;
  std::string folder = {};              // Where it runs; empty: where weft does.
  std::string configuration_json = {};  // An object, or empty: none.
  std::vector<std::pair<std::string, Secret>> secrets = {};
  std::vector<std::string> withheld = {};  // Of weft's environment variables, what it does not get.
  ProviderLimits limits = {};
};

// What a process is doing, for people and for metrics.
struct ProviderStatus {
  bool up = false;
  pid_t pid = 0;               // 0: none now.
  std::uint64_t restarts = 0;  // Starts after the first.
  std::string last_end;        // Why it ended last; empty: it never did.
};

// A process that serves interfaces: started, watched, started again when it ends, and stopped with
// this object.
//
// One an app and name, shared by the editions that use it. From any thread, but for what is said.
// A thread of its own watches the process; no loop waits for it.
class ProviderProcess {
 public:
  // Starts it and waits until it is ready. Says what is wrong in one message where it is not: what
  // it printed last, its exit code, the version it speaks. Blocks: not on a loop's thread.
  static Result<std::shared_ptr<ProviderProcess>> start(ProviderSettings settings,
                                                        Deadline deadline);
  ProviderProcess(const ProviderProcess&) = delete;
  // Stops it; blocks for at most ProviderLimits::stop. Not on a loop's thread.
  ~ProviderProcess();

  // What it serves, the same after each restart.
  const provider::Offer& offers() const;
  // The function of that name, for a Link. Where a signature is given it has to be the same. Fails
  // with what is there instead.
  Result<Function> function(std::string_view interface, std::string_view name,
                            std::string_view signature = {}) const;
  // What serves an interface of the offer on `loop`: on the loop's thread, and destroyed there,
  // before the loop. It may outlive this object, and then refuses.
  std::unique_ptr<Provider> provider_for(Loop& loop, std::string_view interface);

  ProviderStatus status() const;

 private:
  class Impl;
  explicit ProviderProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft
