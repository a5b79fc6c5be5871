#pragma once

#include <vector>

#include "app/settle.h"

namespace weft {

// The components of an app, each after those that it is linked to. Links that go round are told,
// and one component of each round has those links ahead of it.
std::vector<const ComponentSettings*> link_order(const std::vector<ComponentSettings>& components,
                                                 Problems& problems);

}  // namespace weft
