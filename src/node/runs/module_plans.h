#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "app/plan.h"
#include "base/error.h"
#include "io/pool.h"
#include "node/object/hash.h"
#include "node/runs/compile_apart.h"

namespace weft::node::runs {

// Modules that are kept ready to run.
inline constexpr std::size_t kPlansKept = 64;
// Bytes of a module that is compiled here.
inline constexpr std::uint64_t kCodeBytesMax = std::uint64_t{32} << 20;
// Of a module's name, as reports and messages have it.
inline constexpr std::size_t kModuleNameDigits = 16;
// Threads that compile; a group has one of them at a time.
inline constexpr std::size_t kCompileThreads = 2;
// Modules that wait for those.
inline constexpr std::size_t kCompilesWaitingMax = 256;
// A module that took longer is not compiled again, and those are so many at most.
inline constexpr std::chrono::seconds kCompileMax{20};
inline constexpr std::size_t kRefusedKept = 4'096;

// A module as whoever may run it has it: each run says its own bounds, and nothing is granted.
Plan::Component component_of(const Hash& module, std::string file, std::uint64_t memory_bytes_max);

// Modules made into plans, each once while it is kept, on threads of its own.
//
// One for the process, from any thread. `runtime` and `capabilities` outlive it; it outlives the
// loops' use of its plans, and the loops outlive it.
class ModulePlans {
 public:
  using PlanPtr = std::shared_ptr<const Plan>;  // Shared by the cache and the runs of it.
  struct Options {
    std::size_t kept_max = kPlansKept;
    std::uint64_t code_bytes_max = kCodeBytesMax;
    std::uint64_t memory_bytes_max = std::uint64_t{1} << 30;  // Of any run of it.
    std::size_t threads = kCompileThreads;
    std::chrono::nanoseconds compile_max = kCompileMax;
    // Compiles the module in a file into the cache that `runtime` loads from, where it can be
    // stopped (compile_apart.h); from a thread of these. Empty: it is compiled here.
    std::function<Compiled(const std::string& file)> apart = {};
  };
  // What came of compiling. `cost` is the processor time it took: of the one who was first to want
  // it; 0 for others.
  struct Made {
    Result<PlanPtr> plan;
    std::chrono::nanoseconds cost{0};
  };
  using Done = std::move_only_function<void(Made made)>;

  ModulePlans(Runtime& runtime, const CapabilityTable& capabilities)
      : ModulePlans(runtime, capabilities, Options()) {}
  ModulePlans(Runtime& runtime, const CapabilityTable& capabilities, Options options);
  ModulePlans(const ModulePlans&) = delete;
  // Waits for what is being compiled.
  ~ModulePlans();

  // What is kept; null: it has to be made.
  PlanPtr find(const Hash& module);
  // Makes it of the module in `file`, and then calls `done` on `loop`, once. kLimit: too many wait,
  // it is too large, or took too long; kUnsupported: it is none that runs here; kCancelled.
  using Ticket = std::uint64_t;
  Ticket make(const Hash& module, std::string file, std::string group, Loop& loop, Done done);
  // Nobody waits for it any more. What is being compiled is compiled to its end, and told of then.
  void give_up(Ticket ticket);
  std::size_t kept() const;

 private:
  struct Wanted {
    Ticket ticket;
    Loop* loop;
    Done done;
  };
  struct Job {
    Hash module;
    std::string file;
    std::string group;
    std::vector<Wanted> wanted;
    bool running = false;
  };

  static void tell(Wanted wanted, Made made);
  void start_next();
  void compile(Job& job);
  Result<PlanPtr> plan_of(const Job& job, std::chrono::nanoseconds& cost) const;
  Result<PlanPtr> plan_of_file(const Job& job, std::chrono::nanoseconds& cost) const;
  void keep(const Hash& module, const PlanPtr& plan);

  Runtime& runtime_;
  const CapabilityTable& capabilities_;
  const Options options_;
  mutable std::mutex mutex_;                   // Of all that follows.
  std::list<std::pair<Hash, PlanPtr>> plans_;  // The one that was used last is first.
  std::unordered_map<Hash, std::list<std::pair<Hash, PlanPtr>>::iterator, HashOfHash> by_name_;
  std::unordered_set<Hash, HashOfHash> refused_;
  std::list<Job> jobs_;
  Ticket last_ticket_ = 0;
  bool stopping_ = false;
  Pool pool_;
};

}  // namespace weft::node::runs
