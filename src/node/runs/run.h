#pragma once

// For this folder's own sources.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "app/deployments.h"
#include "engine/guest_run.h"
#include "io/timer.h"
#include "node/runs/link_meter.h"
#include "node/runs/module_plans.h"
#include "node/runs/order.h"
#include "node/runs/output_log.h"
#include "node/runs/resources.h"

namespace weft::node::runs {

class Runs;

// A module on one loop. Outlives its runs, and calls of theirs that unwind.
struct Deployed {
  Hash module;
  bool service = false;  // Or as anybody may run it.
  ModulePlans::PlanPtr plan;
  std::unique_ptr<Deployment> deployment;
};

// One run, from its admission until its output is forgotten. Owned by Runs, on its loop.
class Run final : private OutputSink, private ResourcesCapability::Asking, private LinkPayer {
 public:
  Run(Runs& runs, RunOrder order);
  Run(const Run&) = delete;
  ~Run() override;

  // With its plan, or what came instead of it.
  void go(ModulePlans::Made made);
  // While its module is compiled.
  void wait_for(ModulePlans::Ticket ticket) { compiling_ = ticket; }
  // Ends it, unless it has ended. From the loop's handlers, not from inside the guest.
  void stop(Outcome outcome, std::string why);
  // The log changed, or the guest wants something of it.
  void look_again();

  const RunOrder& order() const { return order_; }
  OutputLog& log() { return *log_; }
  Usage usage() const;
  bool ended() const { return ended_; }

 private:
  enum class Wake : std::uint8_t { kNone, kPosted };

  // OutputSink
  std::size_t room(Stream stream) override;
  void write(Stream stream, BytesView bytes) override;
  // Asking
  NodeFacts* facts() override { return order_.facts; }
  std::string_view group() override { return order_.group; }
  std::string requester() override { return order_.requester.text(); }
  bool pay(std::chrono::nanoseconds price) override;
  // LinkPayer
  Result<void> asks() override;
  Result<void> sends(std::size_t bytes) override;
  void unsent(std::size_t bytes) override { sent_ -= bytes; }
  Result<void> receives(std::size_t bytes) override;
  std::unexpected<Error> all_came() const;

  Result<void> start();
  GuestRun::Own own(std::vector<std::string> words, Bytes input);
  void returned(RunOutcome outcome, BytesView reply);
  void put_result();
  void take_guest();
  void leave_guest();
  void drop_guest();
  void refuse(const Error& error);
  void end(RunEnd how);
  void look_later();
  bool paid_too_much() const;
  std::uint64_t bytes_out() const { return log_->bytes() + log_->again() + sent_; }
  std::uint64_t output_left() const {
    return order_.limits.output_bytes - std::min(order_.limits.output_bytes, bytes_out());
  }

  Runs& runs_;
  RunOrder order_;
  const std::shared_ptr<OutputLog> log_;  // Shared with its readers.
  std::shared_ptr<Deployed> deployed_;    // Shared with the loop's other runs of the module.
  std::unique_ptr<GuestRun> guest_;
  bool left_ = false;  // It has returned and is counted; it goes a little later.
  std::optional<ModulePlans::Ticket> compiling_;
  std::optional<RunEnd> stopped_;  // While its module was compiled: how it will have ended.
  std::optional<RunEnd> well_;     // Its guest has returned, and the result is on its way.
  Bytes result_;
  std::size_t put_ = 0;  // Of the result.
  Usage used_;           // But for the guest that runs, and questions.
  std::chrono::nanoseconds priced_{0};
  std::uint64_t sent_ = 0;      // By links to other nodes,
  std::uint64_t received_ = 0;  // and from these.
  std::uint64_t over_ = 0;      // Bytes beyond the limit of its output: it is to be stopped.
  bool waits_ = false;          // For room in the log.
  Wake wake_ = Wake::kNone;
  bool began_ = false;
  bool ended_ = false;
  UnixMs began_at_ = 0;
  const Deadline until_;
  Timer limit_;
  Timer unread_;
};

}  // namespace weft::node::runs
