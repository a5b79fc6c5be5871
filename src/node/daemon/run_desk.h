#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include "engine/engine_loop.h"
#include "io/task.h"
#include "node/daemon/shared.h"
#include "node/runs/runs.h"
#include "node/wire/node_api.h"

namespace weft::node::daemon {

// Bytes that may follow a request to run or to call.
inline constexpr std::size_t kArgumentsMax = std::size_t{16} << 20;
inline constexpr std::chrono::hours kRunTimeMax{1};
// Of what a run may put out, whatever its quota is: so much of it is taken before the run begins.
inline constexpr std::uint64_t kRunOutputMax = std::uint64_t{1} << 40;
// What links of a service may bring to a run at least, where its output is to be small.
inline constexpr std::uint64_t kLinkBytesLeast = std::uint64_t{1} << 20;
// Modules of a loop that are held ready on the disk.
inline constexpr std::size_t kModulesHeldMax = 64;
// What was not run for so long is let go: what is held neither makes room nor is removed.
inline constexpr std::chrono::seconds kModuleHeldFor{2};

// Requests that execute, of one loop: charged, begun, metered, receipted.
//
// Made, used and destroyed on its loop, after the last run has its receipt.
class RunDesk {
 public:
  RunDesk(NodeParts& parts, EngineLoop& engine, runs::ModulePlans& plans);
  RunDesk(const RunDesk&) = delete;
  ~RunDesk();

  // A kRun or a kCall: from then on the run can be read.
  Task<void> begin(wire::Asked asked, wire::Follows follows);
  runs::Runs& runs() { return runs_; }
  // Lets go of modules that nobody runs any more. Every so often.
  void let_go();

 private:
  using InUse = std::shared_ptr<const library::ModuleInUse>;  // Held by the cache and its runs.

  // What a run has until its receipt is signed.
  struct Open {
    Gate::Pass pass;
    Charge charge;
    events::EventLog::Room room;
    InUse module;
    Receipt receipt;  // What is known of it from the start.
  };

  struct Held {
    Hash name;
    InUse module;
    Deadline::Clock::time_point used = {};
  };

  // What came; and, beside that, the most that the run may spend.
  Result<Charge> charge_in(const wire::Asked& asked, std::uint64_t bytes_in);
  Result<void> charge_run(Charge& charge, const wire::Asked& asked, const runs::RunLimits& limits,
                          bool compiled);
  // `service`: what it is a call of; null: of a module.
  runs::RunLimits limits_of(const wire::Asked& asked, const Plan* service) const;
  // The module, if the group may run it.
  Task<InUse> module(Hash name, std::string group);
  void keep(const Hash& name, InUse module);
  void ended(const Hash& run, const runs::RunEnd& end);
  void write_event(Receipt receipt);
  void close(const Hash& run, const Receipt& receipt);

  NodeParts& parts_;
  Loop& loop_;
  runs::ModulePlans& plans_;
  runs::Runs runs_;
  std::unordered_map<Hash, Open, HashOfHash> open_;
  std::list<Held> held_;  // The one that was used last is first.
};

// Whether that group may read or run a module: one that it stored, or that the node offers to all.
Result<void> may_use(const NodeParts& parts, const Hash& module, const std::string& group);

// The event of a request that was signed, and was not done. `bytes_in` was charged.
events::Refusal refusal_of(Errc code);
void tell_refused(NodeParts& parts, const wire::Asked& asked, events::Refusal why,
                  std::uint64_t bytes_in);

}  // namespace weft::node::daemon
