#pragma once

#include <functional>
#include <memory>
#include <string>

#include "capabilities/messaging/drivers/rabbitmq/site.h"

namespace weft::messaging::rabbitmq {

// Shows what is published to topics of a checked pattern, by a queue of its own at the server.
std::unique_ptr<Watch> watch(std::shared_ptr<Site> site, std::string pattern,
                             std::function<void(Message)> saw);

}  // namespace weft::messaging::rabbitmq
