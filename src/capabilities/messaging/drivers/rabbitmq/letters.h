#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/drivers/rabbitmq/site.h"

namespace weft::messaging::rabbitmq {

// The first dead letters of the groups that this process knows, at most `most`. They stay where
// they are: what is taken out goes back when the channel is closed.
Answer<std::vector<DeadLetter>> letters(const std::shared_ptr<Site>& site, Request request,
                                        std::size_t most);

// As Broker::replay. Looks for the letter by the number that its message id makes.
Answer<void> replay(const std::shared_ptr<Site>& site, Request request, std::string group,
                    std::uint64_t number);
// It is handled, and a letter no more. Nobody waits for it.
void erase_letter(const std::shared_ptr<Site>& site, std::string group, std::uint64_t number);

}  // namespace weft::messaging::rabbitmq
