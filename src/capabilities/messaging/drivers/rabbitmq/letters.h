#pragma once

#include <memory>
#include <vector>

#include "capabilities/messaging/drivers/rabbitmq/site.h"

namespace weft::messaging::rabbitmq {

// The first dead letters of the groups that this process knows, at most `most`. They stay where
// they are: what is taken out goes back when the channel is closed.
Answer<std::vector<DeadLetter>> letters(const std::shared_ptr<Site>& site, Request request,
                                        std::size_t most);

}  // namespace weft::messaging::rabbitmq
