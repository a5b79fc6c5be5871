#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/engine_loop.h"
#include "io/timer.h"
#include "node/object/key.h"
#include "node/runs/module_plans.h"
#include "node/runs/order.h"
#include "node/runs/output_log.h"

namespace weft::node::runs {

// Runs of one loop that have not ended.
inline constexpr std::size_t kRunsMax = 256;
// How long the output of one that has ended is kept, and of how many of a loop at most: the one
// that ended first goes first.
inline constexpr std::chrono::minutes kFinishedKept{10};
// From one look at whether the receipt of one that is to be forgotten has come to the next.
inline constexpr std::chrono::seconds kReceiptLook{1};
inline constexpr std::size_t kFinishedMax = 1'024;
inline constexpr std::size_t kFinishedBytesMax = std::size_t{64} << 20;
// How long a guest waits for somebody to read what it wrote.
inline constexpr std::chrono::minutes kUnreadMax{2};
// Modules that are deployed on a loop.
inline constexpr std::size_t kDeployedMax = kPlansKept;

class Run;
struct Deployed;

// The runs of one loop, by the names of their requests. Made, used and destroyed on that loop;
// `engine`, `plans` and `node` outlive it.
class Runs {
 public:
  struct Options {
    std::size_t runs_max = kRunsMax;
    std::size_t finished_max = kFinishedMax;
    std::chrono::milliseconds finished_kept = kFinishedKept;
    std::chrono::milliseconds unread_max = kUnreadMax;
    std::size_t output_kept_max = kOutputKeptMax;
  };

  Runs(EngineLoop& engine, ModulePlans& plans, const SigningKey& node)
      : Runs(engine, plans, node, Options()) {}
  Runs(EngineLoop& engine, ModulePlans& plans, const SigningKey& node, Options options);
  Runs(const Runs&) = delete;
  // Runs that have not ended are dropped where they are, and nobody is called any more:
  // `cancel_all` and a wait for `live` to be 0, then for `unwound`, is the way to end them.
  ~Runs();

  // kLimit: there are too many. kConflict: one of that name is known. Then nothing of the order is
  // called.
  Result<void> begin(RunOrder order);
  // Its receipt, signed, after it ended. kNotFound: it is forgotten.
  Result<void> close(const Hash& run, BytesView receipt);
  // kNotFound: there is no run of that name, or that frame is not kept; see OutputLog::read.
  Result<std::unique_ptr<OutputReader>> read(const Hash& run, std::uint64_t from,
                                             std::function<void()> wake);
  // Ends it. One that has ended: nothing to do. kNotFound.
  Result<void> cancel(const Hash& run, std::string_view why);
  void cancel_all(std::string_view why);

  // Null: there is none. Also of those that have ended and are kept.
  const RunOrder* find(const Hash& run) const;
  // What it used up to now.
  Usage usage(const Hash& run) const;
  std::size_t live() const { return live_; }
  // Whether no call that was cancelled is unwinding: until then nothing of this may go.
  bool unwound();
  std::vector<const RunOrder*> running() const;

 private:
  friend class Run;
  struct Finished {
    Hash name;
    Deadline::Clock::time_point when;
  };

  std::shared_ptr<Deployed> deployed(const RunOrder& order, ModulePlans::PlanPtr plan);
  void take_out(std::list<std::shared_ptr<Deployed>>::iterator deployed);
  void sweep();
  void ended(Run& run);
  bool forget_oldest();
  void expire();

  EngineLoop& engine_;
  ModulePlans& plans_;
  const SigningKey& node_;
  const Options options_;
  std::unordered_map<Hash, std::unique_ptr<Run>, HashOfHash> all_;
  std::size_t live_ = 0;
  std::list<Finished> finished_;  // Oldest first.
  std::size_t finished_bytes_ = 0;
  // The one that was used last is first. Shared with its runs.
  std::list<std::shared_ptr<Deployed>> deployed_;
  // Taken out of those while something of them ran or unwound.
  std::list<std::shared_ptr<Deployed>> leaving_;
  Timer expiry_;
  const std::shared_ptr<Runs*> self_;  // Null once it is gone: what was posted comes later.
};

}  // namespace weft::node::runs
