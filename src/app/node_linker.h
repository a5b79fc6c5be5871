#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/linked_node.h"
#include "app/plan.h"
#include "app/problems.h"

namespace weft {

// The links to nodes of one edition that is made: opens the nodes, asks what they offer, fetches
// libraries. What is wrong is told, and the rest goes on.
class NodeLinker {
 public:
  // All outlive it.
  struct Parts {
    Runtime& runtime;
    const CapabilityTable& capabilities;
    Problems& problems;
    NodeLinks* links;  // Null: nodes cannot be linked to here.
    const std::vector<NodeTable>& nodes;
    Plan::Opening opening;
    const LinkTap& tap;
    std::vector<std::unique_ptr<Plan>>& plans;  // Those of libraries are added.
  };

  explicit NodeLinker(Parts parts) : parts_(parts) {}

  // With what it offers, where it is asked and there. One that is away is waited for by the calls.
  Plan::Component::LinkTo link(const std::string& app, const LinkSettings& link);

 private:
  using At = std::pair<std::string, std::string>;

  std::shared_ptr<LinkedNode> node_of(const Placed& name);
  const Plan* fetched(const std::string& app, const LinkSettings& link, LinkedNode& node);
  bool link_needs(const std::string& app, const LinkSettings& link, LinkedNode& node,
                  Plan::Component& library);
  void wrong(const LinkSettings& link, const std::string& message, const std::string& write = "");

  const Parts parts_;
  // Shared by the links to it. Null: it is none, which was told.
  std::map<std::string, std::shared_ptr<LinkedNode>> nodes_;
  std::map<std::string, std::string> away_;  // Why; empty: it is not.
  std::map<At, const Plan*> fetched_;        // By app and end; null: not to be had, or not yet.
  bool needed_ = false;                      // By another library.
};

}  // namespace weft
