#pragma once

#include <string>
#include <vector>

#include "app/edition.h"

namespace weft {

// The handler that a component exports of those that the capability calls, and where its functions
// are among the exports, into `event`. Whether there is one.
bool find_handler(const Plan& plan, const Capability& capability, Edition::Event& event);

// Triggers that fit what a component exports, as they are to be written.
std::vector<std::string> fitting_triggers(const Plan& plan, const CapabilityTable& capabilities);

}  // namespace weft
