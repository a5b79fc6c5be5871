#pragma once

#include <optional>
#include <vector>

#include "app/problems.h"
#include "capabilities/table.h"
#include "engine/runtime.h"
#include "node/daemon/service_plans.h"
#include "node/daemon/service_stores.h"
#include "node/daemon/shared.h"
#include "node/library/catalogue.h"

namespace weft::node::daemon {

// What makes a component of a service ready to run. All outlive its plan.
struct ServiceMaking {
  Runtime& runtime;
  const CapabilityTable& capabilities;  // Of those that keep nothing.
  ServiceStores& stores;
};

// What is to be served: as others are told of it, and as it is run.
struct Services {
  std::vector<library::Service> offered = {};
  ServicePlans::All plans = {};
};

// What the tables [service.NAME] serve: files are stored and pinned, libraries found, and each is
// compiled and linked. Nobody is asked whether the nodes that it is linked to are there. Nothing
// where anything is wrong; all of it is told. Waits for the disk and the compiler.
std::optional<Services> services_of(const NodeSettings& settings, const NodeParts& parts,
                                    const ServiceMaking& making, Problems& problems);

// Lets go of those modules of the node's own, among these, that it offers no more.
void let_go(const NodeParts& parts, const std::vector<Hash>& modules);
// Every module of its own.
std::vector<Hash> own_modules(const NodeParts& parts);

}  // namespace weft::node::daemon
