#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "base/deadline.h"
#include "io/gate.h"
#include "io/pool.h"
#include "node/admission/admission.h"
#include "node/daemon/run_places.h"
#include "node/daemon/run_seats.h"
#include "node/daemon/service_plans.h"
#include "node/daemon/tickets.h"
#include "node/events/event_log.h"
#include "node/gather/gatherings.h"
#include "node/library/catalogue.h"
#include "node/library/module_store.h"
#include "node/policy/ledger.h"
#include "node/policy/policy.h"
#include "node/runs/node_facts.h"
#include "node/wire/follows_room.h"

namespace weft::node::daemon {

// Between two lines in the log which say the same of requests.
inline constexpr std::chrono::seconds kNoticeEvery{10};

// Whether what happens often is to be told now. One a node and thing; from any thread.
class Notice {
 public:
  bool due() {
    std::lock_guard hold(mutex_);
    if (!next_.passed()) return false;
    next_ = Deadline::after(kNoticeEvery);
    return true;
  }

 private:
  std::mutex mutex_;
  Deadline next_ = Deadline::after(std::chrono::milliseconds(0));
};

// What all loops of a node use, each from any thread. Owned by the node, which outlives its loops'
// work.
struct NodeParts {
  const SigningKey& key;
  const CurrentPolicy& policy;
  Ledger& ledger;
  Admission& admission;
  events::EventLog& events;
  library::ModuleStore& modules;
  library::Catalogue& catalogue;
  ServicePlans& services;
  Tickets& tickets;
  gather::Gatherings& gatherings;
  RunPlaces& places;
  const RunSeats& seats;
  runs::NodeFacts& facts;
  Pool& pool;  // For the disk.
  Gate& runs;  // Every run is inside until it has its receipt.
  Notice& disk_full;
  Notice& own_failure;             // What is the node's own matter went wrong.
  wire::FollowsRoom follows = {};  // The one that is these parts' own.
};

// What an event says of whoever is in no group.
inline std::string event_group(const std::string& group) {
  return group == kStrangers ? std::string() : group;
}

}  // namespace weft::node::daemon
