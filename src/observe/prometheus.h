#pragma once

#include <string>

#include "observe/host_facts.h"
#include "observe/metrics.h"

namespace weft {

inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

// Everything that is counted, in the text format of Prometheus.
std::string prometheus_text(const Totals& totals, const HostFacts& facts, const ProcessUse& use);

}  // namespace weft
