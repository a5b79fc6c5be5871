#pragma once

#include <functional>
#include <memory>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/kafka/site.h"

namespace weft::messaging::kafka {

// Messages that are shown before others of the loop have their turn.
inline constexpr std::size_t kShownAtOnce = 64;

// Shows what comes into the topics of a checked pattern from when it has looked for them first, on
// the site's loop. Those that are made later it finds within `refresh`, and shows from their
// beginning. What cannot be shown at once stays at the server: nothing is skipped.
Result<std::unique_ptr<Watch>> watch(std::shared_ptr<Site> site, std::string pattern,
                                     std::function<void(Message)> saw);

}  // namespace weft::messaging::kafka
