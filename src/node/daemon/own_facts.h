#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "node/discovery/neighbours.h"
#include "node/object/key.h"
#include "node/policy/ledger.h"
#include "node/policy/policy.h"
#include "node/runs/node_facts.h"

namespace weft::node::daemon {

// What a run may ask: this machine, what is left of its group's quota, and who the node hears. From
// any thread.
class OwnFacts final : public runs::MachineFacts {
 public:
  OwnFacts(Ledger& ledger, const CurrentPolicy& policy, const PublicKey& self)
      : ledger_(ledger), policy_(policy), self_(self) {}
  runs::QuotaLeft quota_left(std::string_view group) override;
  runs::ToldNode this_node() override;
  std::vector<runs::ToldNode> heard() override;

  // As discovery has it.
  void hears(discovery::NeighbourChange change, const discovery::Neighbour& whom);

 private:
  Ledger& ledger_;
  const CurrentPolicy& policy_;
  const PublicKey self_;
  std::mutex mutex_;
  std::map<std::string, runs::ToldNode> heard_;  // By their keys; as many as discovery has.
};

}  // namespace weft::node::daemon
