#pragma once

#include <string>
#include <vector>

#include "observe/history.h"
#include "observe/host_facts.h"
#include "observe/metrics.h"
#include "observe/trap_log.h"

namespace weft {

// What /api/... answers, as JSON. Members are only ever added.

// /api/overview: the host, the sums, and each route, component and capability.
std::string overview_json(const Totals& totals, const HostFacts& facts, const ProcessUse& use,
                          const History& history);
// /api/history: a point a second, the oldest first.
std::string history_json(const History& history);
// /api/traps: the newest first.
std::string traps_json(const std::vector<TrapRecord>& records);
// /api/requests: those under way, of each loop; the oldest first.
std::string requests_json(const std::vector<LiveRequests>& loops);

}  // namespace weft
