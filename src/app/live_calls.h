#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "app/deployments.h"
#include "app/edition.h"
#include "observe/admin_calls.h"

namespace weft {

// How long a call may take where what is called has no time limit of its own.
inline constexpr std::chrono::seconds kLiveCallTime{60};
// And how long something that is asked of a capability may take where nobody says otherwise.
inline constexpr std::chrono::minutes kOperationTime{5};

// The calls of one deck that somebody asked for at the admin address: a component's function in a
// fresh instance, with all that the component has, or a provider's over its running process, or
// something of a capability's.
//
// Made, used and destroyed on the loop's thread.
class LiveCalls {
 public:
  // All outlive it.
  LiveCalls(const Edition& edition, const Deployments& deployments, Loop& loop);
  LiveCalls(const LiveCalls&) = delete;
  // Stops what runs.
  ~LiveCalls();

  // `number` is one that no other call has; `asked`: what the call's capability is, null where it
  // names none.
  void begin(std::uint64_t number, AdminCall call, AdminCallEvents events, Capability* asked);
  // Stops the call, where it is one of these.
  void cancel(std::uint64_t number);
  // Ends what would go on without an end: kCancelled, and whoever asked may ask anew.
  void end_endless();
  bool idle() const { return running_.empty(); }

 private:
  struct Running;
  // What a target names: a component, by its number in the plans, or else a provider.
  struct Target {
    std::size_t plan = 0;
    const RunningProvider* provider = nullptr;
  };

  Result<Target> find(std::string_view target) const;
  Result<void> start(std::uint64_t number, Running& running);
  Result<void> start_operation(std::uint64_t number, Running& running, Capability& capability);
  void bound(std::uint64_t number, Running& running, std::chrono::milliseconds most);
  Result<void> start_component(std::uint64_t number, Running& running, std::size_t plan);
  Result<void> start_provider(std::uint64_t number, Running& running,
                              const RunningProvider& provider);
  void returned(std::uint64_t number, BytesView reply);
  void failed(std::uint64_t number, Error error);
  void end(std::uint64_t number, Result<std::string> outcome);

  const Edition& edition_;
  const Deployments& deployments_;
  Loop& loop_;
  // The admin server bounds how many there are.
  std::map<std::uint64_t, std::unique_ptr<Running>> running_;
};

}  // namespace weft
